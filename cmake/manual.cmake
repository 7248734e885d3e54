# Manual pages, made of docs/cli.md where Python 3 and lowdown are found, and shell completion. A wheel has neither.
find_package(Python3 3.9 COMPONENTS Interpreter QUIET)
find_program(LOWDOWN lowdown)
set(cli_page ${PROJECT_SOURCE_DIR}/docs/cli.md)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${cli_page})

if(Python3_FOUND AND LOWDOWN)
    file(STRINGS ${cli_page} command_lines REGEX "^\\| \\[[a-z-]+\\]\\(#")
    set(man_pages "")
    foreach(line headrace ${command_lines})
        string(REGEX REPLACE "^\\| \\[([a-z-]+)\\].*" "\\1" command "${line}")
        string(REGEX REPLACE "^headrace-headrace$" "headrace" title headrace-${command})
        set(page ${CMAKE_BINARY_DIR}/share/man/man1/${title}.1)
        add_custom_command(
            OUTPUT ${page}
            COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/script/man-page
                    ${cli_page} ${PROJECT_VERSION} ${command} ${page}
            DEPENDS ${cli_page} ${PROJECT_SOURCE_DIR}/script/man-page)
        list(APPEND man_pages ${page})
    endforeach()
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/man/man1)
    add_custom_target(headrace_man ALL DEPENDS ${man_pages})
    install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
else()
    message(STATUS "No manual pages: they need Python 3 and lowdown")
endif()

install(FILES tools/completion/headrace.bash RENAME headrace
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES tools/completion/_headrace DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
