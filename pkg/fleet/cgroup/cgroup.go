// Package cgroup keeps all processes of a node together, so that none outlives it, whoever its parent was and whatever
// crashed. What enters is the name of a cgroup; what leaves is that cgroup, under every controller of the machine, and in
// the end nothing. Both versions of cgroups are handled; where the machine has version 1 and 2 side by side, it is 1.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// Base is where a machine's cgroups are.
	Base = "/sys/fs/cgroup"

	procs        = "cgroup.procs"
	subtree      = "cgroup.subtree_control"
	leaf         = "node" // in version 2 only leaves may have processes
	killTimeout  = 10 * time.Second
	killInterval = 50 * time.Millisecond
)

// Tree is a cgroup and all below it.
type Tree struct {
	name    string
	roots   []string // of the machine's hierarchies; the first is where processes are looked for
	unified bool     // only version 2
}

// New finds the machine's hierarchies under base.
func New(base, name string) (*Tree, error) {
	if exists(filepath.Join(base, "cgroup.controllers")) {
		return &Tree{name: name, roots: []string{base}, unified: true}, nil
	}
	t := &Tree{name: name}
	// Every process is in each hierarchy; these two no container moves out of. A hierarchy of version 2 beside them is used
	// by runc.
	for _, pattern := range []string{"pids", "memory", "*"} {
		found, err := filepath.Glob(filepath.Join(base, pattern, procs))
		if err != nil {
			return nil, err
		}
		for _, file := range found {
			if root := filepath.Dir(file); !slices.Contains(t.roots, root) {
				t.roots = append(t.roots, root)
			}
		}
	}
	if len(t.roots) == 0 {
		return nil, fmt.Errorf("no cgroups are mounted under %s: mount them, or use a machine that has them", base)
	}
	return t, nil
}

// Path is the cgroup as the kubelet and runc name it.
func (t *Tree) Path() string { return "/" + t.name }

// Procs is the file into which a process that starts nodes' processes writes its id.
func (t *Tree) Procs() string { return filepath.Join(t.roots[0], t.name, leaf, procs) }

// Create makes the cgroup.
func (t *Tree) Create() error {
	for _, root := range t.roots {
		if err := os.MkdirAll(filepath.Join(root, t.name), 0o755); err != nil {
			return fmt.Errorf("making a cgroup: %w", err)
		}
		if t.unified {
			delegate(root)
			delegate(filepath.Join(root, t.name))
		}
	}
	if err := os.MkdirAll(filepath.Dir(t.Procs()), 0o755); err != nil {
		return fmt.Errorf("making a cgroup: %w", err)
	}
	return nil
}

// delegate lets the children of a cgroup of version 2 have what it has itself. What cannot be had is left to the kubelet,
// which says by name what it misses.
func delegate(dir string) {
	controllers, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return
	}
	for _, controller := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(filepath.Join(dir, subtree), []byte("+"+controller), 0o644)
	}
}

// Kill ends every process in the cgroup and below it, and those that they start meanwhile.
func (t *Tree) Kill(ctx context.Context) error {
	for deadline := time.Now().Add(killTimeout); ; {
		pids, err := t.pids()
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("ending process %d of cgroup %s: %w", pid, t.Path(), err)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of cgroup %s do not end: try again, or restart the machine", pids, t.Path())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(killInterval):
		}
	}
}

func (t *Tree) pids() (pids []int, err error) {
	for _, dir := range dirs(filepath.Join(t.roots[0], t.name)) {
		data, err := os.ReadFile(filepath.Join(dir, procs))
		if err != nil && !gone(err) {
			return nil, fmt.Errorf("reading the processes of a cgroup: %w", err)
		}
		for _, field := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 { // 0 is a process that we cannot see
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// Remove removes the cgroup, which Kill has emptied, under every controller.
func (t *Tree) Remove() error {
	for _, root := range t.roots {
		all := dirs(filepath.Join(root, t.name))
		for i := len(all) - 1; i >= 0; i-- { // children first
			if err := syscall.Rmdir(all[i]); err != nil && !gone(err) {
				return fmt.Errorf("removing cgroup %s: %w", all[i], err)
			}
		}
	}
	return nil
}

// dirs returns a folder and all below it, parents first; none when there is no such folder.
func dirs(top string) (all []string) {
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error { // what goes meanwhile is not wanted
		if err == nil && d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	return all
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) }

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
