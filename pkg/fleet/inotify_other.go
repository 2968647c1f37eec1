//go:build !linux

package fleet

// canWatch is a question only where real nodes run.
func canWatch(int) bool { return true }
