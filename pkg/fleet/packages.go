package fleet

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// How many times a control plane's processes, and a real node's, watch files. Without them containerd serves no kubelet, and
// everything else logs errors.
const (
	watchesOfControlPlane = 13
	watchesOfNode         = 8
	// usualWatches are those of a source and two targets with real nodes.
	usualWatches = 3*watchesOfControlPlane + 2*watchesOfNode
)

// requirement is something of this machine that a real node needs, and the Debian package that has it.
type requirement struct {
	what, pkg string
	found     func() bool
}

func requirements() []requirement {
	program := func(name, pkg string) requirement {
		return requirement{name, pkg, func() bool { return findProgram(name) != "" }}
	}
	return []requirement{
		program("containerd", "containerd"), program("ctr", "containerd"), program("runc", "runc"),
		program("iptables", "iptables"), program("ip", "iproute2"),
		program("unshare", "util-linux"), program("nsenter", "util-linux"),
		{"the CNI plugin ptp", "containernetworking-plugins", func() bool { return cniFolder() != "" }},
		{"a busybox that needs no libraries", "busybox-static", func() bool { return isStatic(findProgram("busybox")) }},
	}
}

// requireContainerd checks that real nodes can run here, and offers to install what they lack.
func (u *up) requireContainerd(ctx context.Context) error {
	if err := errors.Join(refuseContainerd(runtime.GOOS, os.Geteuid(), u.Dir), checkWatches(u.Config.watches())); err != nil {
		return err
	}
	packages := missingPackages(requirements())
	if len(packages) == 0 {
		return nil
	}
	list := strings.Join(packages, " ")
	if findProgram("apt-get") == "" {
		return fmt.Errorf("runtime %s needs what Debian has in the packages %s: install them as this system does",
			RuntimeContainerd, list)
	}
	if u.Confirm == nil || !u.Confirm(fmt.Sprintf("Runtime %s needs the packages %s. Install them?", RuntimeContainerd, list)) {
		return missingError(packages)
	}
	return u.steps.do("installing "+list, func() error { return installPackages(ctx, packages) })
}

// CheckContainerd says why a fleet of usual size in dir could not have nodes of RuntimeContainerd; nil when it can.
func CheckContainerd(dir string) error {
	if err := errors.Join(refuseContainerd(runtime.GOOS, os.Geteuid(), dir), checkWatches(usualWatches)); err != nil {
		return err
	}
	if packages := missingPackages(requirements()); len(packages) > 0 {
		return missingError(packages)
	}
	return nil
}

func missingError(packages []string) error {
	return fmt.Errorf("runtime %s needs packages that are not installed: use --install, or: apt-get install %s",
		RuntimeContainerd, strings.Join(packages, " "))
}

// refuseContainerd says why this user cannot have real nodes here.
func refuseContainerd(system string, user int, fleetDir string) error {
	switch {
	case system != "linux":
		return fmt.Errorf("runtime %s needs Linux, and this is %s: use --runtime %s, or %s where Docker runs",
			RuntimeContainerd, system, RuntimeKwok, RuntimeKind)
	case user != 0:
		return fmt.Errorf("runtime %s needs root: use sudo, or --runtime %s", RuntimeContainerd, RuntimeKwok)
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	bin, err := binDir()
	if err != nil {
		return err
	}
	for flag, dir := range map[string]string{"--dir": fleetDir, "$XDG_CACHE_HOME": cache, "$" + binDirVariable: bin} {
		if hidden(dir) {
			return fmt.Errorf("%s is in a folder of which each node of runtime %s has its own (%s): choose another %s",
				dir, RuntimeContainerd, strings.Join(hiddenFolders, ", "), flag)
		}
	}
	return nil
}

func checkWatches(times int) error {
	if canWatch(times) {
		return nil
	}
	return errors.New("real nodes watch files more often than this machine lets one user, beside what else runs: " +
		"sysctl fs.inotify.max_user_instances=512")
}

func (c Config) watches() int {
	real := c.names(func(c Cluster) bool { return c.Runtime == RuntimeContainerd && len(c.Nodes) > 0 })
	return watchesOfControlPlane*len(c.Clusters) + watchesOfNode*len(real)
}

func missingPackages(all []requirement) []string {
	var packages []string
	for _, r := range all {
		if !r.found() && !slices.Contains(packages, r.pkg) {
			packages = append(packages, r.pkg)
		}
	}
	return packages
}

func installPackages(ctx context.Context, packages []string) error {
	for _, args := range [][]string{{"update"}, append([]string{"install", "--yes", "--no-install-recommends"}, packages...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, output)
		}
	}
	if still := missingPackages(requirements()); len(still) > 0 {
		return fmt.Errorf("%s are installed, and lack what a node needs: see docs/fleet.md", strings.Join(still, " "))
	}
	return nil
}

// findProgram also looks where only root's PATH leads: `su` keeps the user's.
func findProgram(name string) string {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// cniFolder is where Debian, or everybody else, has CNI plugins.
func cniFolder() string {
	for _, dir := range []string{"/usr/lib/cni", "/opt/cni/bin"} {
		if exists(filepath.Join(dir, "ptp")) {
			return dir
		}
	}
	return ""
}

// isStatic tells whether a program runs where there are no libraries, as in an image.
func isStatic(file string) bool {
	program, err := elf.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = program.Close() }()
	return !slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}
