package fleet

import (
	"fmt"
	"os"
	"strings"
)

// identity returns what tells a process from a later one with the same id: its start time, in ticks since boot. It is
// empty when the process is gone, also when only its parent has yet to notice (a zombie).
func identity(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return parseStat(string(stat))
}

// parseStat reads state and start time, fields 3 and 22 of proc(5). Field 2 is the program's name in parentheses and may
// hold spaces and parentheses itself.
func parseStat(stat string) string {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}
