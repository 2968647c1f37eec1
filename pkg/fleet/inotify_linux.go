package fleet

import (
	"errors"
	"syscall"
)

// canWatch tells whether this user may watch files so many more times at once, by doing so.
func canWatch(times int) bool {
	for range times {
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if errors.Is(err, syscall.EMFILE) {
			return false
		}
		if err == nil {
			defer func() { _ = syscall.Close(fd) }()
		}
	}
	return true
}
