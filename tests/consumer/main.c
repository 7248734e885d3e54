/*
 * A program of somebody else: it uses the installed headers and the installed library only.
 */
#include <headrace/headrace.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    hr_dataset *ds = NULL;
    hr_error err;
    hr_status st = hr_dataset_open("no/such/file.hrd", NULL, &ds, &err);
    printf("%s %s %s\n", hr_version(), hr_status_name(st), ds == NULL ? "closed" : "open");
    return st == HR_ERR_NOT_FOUND && strcmp(hr_version(), CONSUMER_EXPECTS) == 0 ? 0 : 1;
}
