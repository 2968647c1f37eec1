package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 on every architecture that Linux gives to user space.
const tick = 10 * time.Millisecond

var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", controller}

// Process is one process of the fleet.
type Process struct {
	Cluster   string `json:"cluster"`
	Component string `json:"component"`
}

// Memory of a process, in MiB.
type Memory struct {
	Resident float64 `json:"residentMiB"`
	Peak     float64 `json:"peakMiB"`
}

// snapshot is what everything has used and been asked until a moment.
type snapshot struct {
	at       time.Time
	requests map[string]Counts
	own      Counts // by the controller's count
	cpu      map[Process]time.Duration
}

func (m *machines) snapshot(ctx context.Context) (snapshot, error) {
	requests, err := m.requests(ctx)
	if err != nil {
		return snapshot{}, err
	}
	own, err := m.own(ctx)
	if err != nil {
		return snapshot{}, err
	}
	cpu, err := m.cpu()
	return snapshot{at: time.Now(), requests: requests, own: own, cpu: cpu}, err
}

// cpu returns the CPU time of every process that runs.
func (m *machines) cpu() (map[Process]time.Duration, error) {
	used := map[Process]time.Duration{}
	for _, cluster := range m.fleet.Clusters() {
		for _, component := range components {
			pid, ok := m.fleet.Process(cluster, component)
			if !ok {
				continue
			}
			data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if err != nil {
				return nil, fmt.Errorf("reading the CPU time of %s of cluster %s: %w", component, cluster, err)
			}
			if used[Process{cluster, component}], err = parseCPU(string(data)); err != nil {
				return nil, err
			}
		}
	}
	return used, nil
}

// parseCPU reads user and system time from /proc/PID/stat. The name before them may itself hold spaces and brackets.
func parseCPU(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("reading CPU time: %q is not what /proc/PID/stat holds", stat)
	}
	var sum time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading CPU time: %w", err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

func (m *machines) memory(cluster, component string) (Memory, error) {
	pid, ok := m.fleet.Process(cluster, component)
	if !ok {
		return Memory{}, fmt.Errorf("%s of cluster %s does not run: see its log in %s", component, cluster, m.fleet.Dir)
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("reading the memory of %s: %w", component, err)
	}
	return Memory{Resident: procMiB(string(data), "VmRSS:"), Peak: procMiB(string(data), "VmHWM:")}, nil
}

// procMiB finds a line such as "VmRSS:   1234 kB" in a file of /proc; 0 when there is none.
func procMiB(file, key string) float64 {
	for line := range strings.Lines(file) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == key {
			kB, _ := strconv.ParseFloat(fields[1], 64)
			return kB / 1024
		}
	}
	return 0
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
