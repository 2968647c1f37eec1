package main

import (
	"fmt"
	"syscall"
)

// canFollow tells whether this machine lets a kubelet follow so many logs. It would else end the others at once, and the
// benchmark would measure the machine's settings.
func canFollow(logs int) error {
	for range logs {
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if err != nil {
			return fmt.Errorf("a kubelet watches a file for each log that is followed, and this machine does not let it watch %d more: "+
				"sysctl fs.inotify.max_user_instances=512, or take less -followers: %w", logs, err)
		}
		defer func() { _ = syscall.Close(fd) }()
	}
	return nil
}
