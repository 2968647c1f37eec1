package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCPUTimeIsReadBehindAnyName(t *testing.T) {
	used, err := parseCPU("42 (a) b (c) S 1 42 42 0 -1 4194304 9 0 0 0 150 25 7 7 20 0 9 0 100 200 300\n")
	require.NoError(t, err)
	assert.Equal(t, 1750*time.Millisecond, used)

	_, err = parseCPU("42 (short) S 1")
	assert.ErrorContains(t, err, "/proc/PID/stat")
}

func TestMemoryIsReadInMiB(t *testing.T) {
	status := "Name:\tx\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n"
	assert.Equal(t, 100.0, procMiB(status, "VmRSS:"))
	assert.Equal(t, 200.0, procMiB(status, "VmHWM:"))
	assert.Zero(t, procMiB(status, "VmSwap:"))
}
