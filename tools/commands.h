/*
 * The commands. Each takes its own argument vector (argv[0] is the command's name) and returns an
 * exit code.
 */
#ifndef HEADRACE_COMMANDS_H
#define HEADRACE_COMMANDS_H

int cmd_bench(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_head(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_epoch(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_split(int argc, char **argv);
int cmd_memory(int argc, char **argv);
int cmd_why_died(int argc, char **argv);

#endif
