//go:build !linux

package fleet

import (
	"os/exec"
	"strconv"
	"strings"
)

// identity returns what tells a process from a later one with the same id: its start time. It is empty when the process is
// gone, also when only its parent has yet to notice (a zombie).
func identity(pid int) string {
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	state, started, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if strings.HasPrefix(state, "Z") {
		return ""
	}
	return strings.TrimSpace(started)
}
