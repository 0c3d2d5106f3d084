/* Print the effective user id: a set-user-id program shows 0 unless no_new_privs holds. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    printf("Effective uid: %d\n", (int)geteuid());
    return 0;
}
