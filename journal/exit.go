package journal

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// ParseExit reads $EXIT_CODE and $EXIT_STATUS (systemd.exec(5)). The status is a
// number or, if the code is "killed" or "dumped", the name of a signal. ParseExit
// returns nil for anything else.
func ParseExit(code, status string) *Exit {
	n, err := strconv.Atoi(status)
	if err != nil {
		signal := unix.SignalNum("SIG" + status)
		if signal == 0 {
			return nil
		}
		n = int(signal)
	}
	if n < 0 || n > 255 {
		return nil
	}
	if code == "killed" || code == "dumped" {
		n += 128
	}
	return &Exit{Status: n}
}
