package main

/*
#include <signal.h>
#include <unistd.h>

static void cut_off(int number) {
	static const char text[] = "restic-exporter: error: a journal file was cut off while it was read; the metrics are as they were, run this again\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
	(void)written;
	_exit(1);
}

static void watch(void) {
	struct sigaction action = {.sa_handler = cut_off, .sa_flags = SA_ONSTACK};
	sigaction(SIGBUS, &action, NULL);
}
*/
import "C"

// libsystemd maps journal files. On file systems that cannot punch holes journald
// empties files that it deletes, and who reads there is sent SIGBUS, which no
// library can turn into an error. Nothing has been written then.
func init() { C.watch() }
