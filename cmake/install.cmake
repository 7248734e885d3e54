# What `cmake --install` puts into a prefix. Nothing in it names the prefix, so that it can be moved:
#   bin/headrace  lib/libheadrace.so*  libexec/headrace/headrace-source  include/headrace/*.h
#   lib/pkgconfig/headrace.pc  lib/cmake/headrace/  share/doc/headrace/LICENSE
# The helper is installed by convert/helper, the CUDA module by gpu/cuda. A wheel (pyproject.toml) takes the
# component `wheel` alone: what runs, and the licences of what is linked statically.
set(HEADRACE_NOTICES "" CACHE PATH "Folder of licences of libraries linked statically, for a wheel")
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/headrace)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS headrace EXPORT headraceTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT wheel NAMELINK_COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/headrace DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET headrace_command)
    file(RELATIVE_PATH bin_to_lib /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(headrace_command PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}")
    install(TARGETS headrace_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT wheel)
endif()

if(SKBUILD)
    install(PROGRAMS python/scripts/headrace DESTINATION ${SKBUILD_SCRIPTS_DIR} COMPONENT wheel)
endif()
if(SKBUILD AND HEADRACE_NOTICES)
    install(DIRECTORY ${HEADRACE_NOTICES}/ DESTINATION ${SKBUILD_METADATA_DIR}/licenses
            COMPONENT wheel)
endif()

install(EXPORT headraceTargets NAMESPACE headrace:: DESTINATION ${package_dir})
configure_package_config_file(cmake/headraceConfig.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/headraceConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/headraceConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/headraceConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/headraceConfigVersion.cmake
        DESTINATION ${package_dir})

file(RELATIVE_PATH pkgconfig_to_prefix /${pkgconfig_dir} /)
configure_file(cmake/headrace.pc.in ${CMAKE_CURRENT_BINARY_DIR}/headrace.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/headrace.pc DESTINATION ${pkgconfig_dir})
