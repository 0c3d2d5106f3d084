/* Prints "FAMILY ERRNO" for a socket of each address family named; 0 is success. By the plain system call, so that
 * no C library checks the number first. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **words)
{
	for (int i = 1; i < count; i++) {
		long answer = syscall(SYS_socket, strtol(words[i], NULL, 0), SOCK_RAW, 0);
		printf("%s %d\n", words[i], answer < 0 ? errno : 0);
		if (answer >= 0)
			close((int)answer);
	}
	return 0;
}
