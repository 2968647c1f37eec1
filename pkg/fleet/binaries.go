package fleet

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// binDirVariable overrides the folder of the binaries.
const binDirVariable = "SPILLWAY_BIN_DIR"

// modules hold what the binaries are built from. go:embed does not enter a folder with a go.mod, hence the names.
//
//go:embed binaries
var modules embed.FS

// binary is a program that is compiled from a package of one of the modules.
type binary struct {
	name, module, pkg string
	// neededBy is the runtime that needs it; when empty, every control plane of ours does.
	neededBy string
	// static ones run in containers.
	static bool
	// test ones are a package's tests.
	test bool
}

var binaries = []binary{
	{name: etcd, module: "kubernetes", pkg: "go.etcd.io/etcd/server/v3"},
	{name: kwok, module: "kwok", pkg: "sigs.k8s.io/kwok/cmd/kwok", neededBy: RuntimeKwok},
	{name: scheduler, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-scheduler"},
	{name: controllerManager, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-controller-manager"},
	{name: apiServer, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-apiserver"},
	{name: kubectl, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kubectl"},
	{name: kubelet, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kubelet", neededBy: RuntimeContainerd},
	{name: kubeProxy, module: "kubernetes", pkg: "k8s.io/kubernetes/cmd/kube-proxy", neededBy: RuntimeContainerd},
	{name: agnhost, module: "kubernetes", pkg: "k8s.io/kubernetes/test/images/agnhost", neededBy: RuntimeContainerd, static: true},
	{name: pause, module: "pause", pkg: ".", neededBy: RuntimeContainerd, static: true},
	{name: suiteTest, module: "kubernetes", pkg: "k8s.io/kubernetes/test/e2e", neededBy: bySuite, test: true},
	{name: suiteRunner, module: "kubernetes", pkg: "github.com/onsi/ginkgo/v2/ginkgo", neededBy: bySuite},
}

// neededFor tells whether a fleet of this configuration needs b.
func (b binary) neededFor(c Config) bool {
	switch {
	case b.neededBy != "":
		return c.uses(b.neededBy)
	case b.name == kubectl: // a person does
		return true
	default:
		return len(c.names(func(c Cluster) bool { return c.Runtime != RuntimeKind })) > 0
	}
}

// binDir returns the folder of the binaries: one for each set of versions.
func binDir() (string, error) {
	if dir := os.Getenv(binDirVariable); dir != "" {
		return filepath.Abs(dir)
	}
	return cacheDir("bin", binariesVersion)
}

// binaries are what the fleet of this configuration needs.
func (c Config) binaries() (needed []binary) {
	for _, b := range binaries {
		if b.neededFor(c) {
			needed = append(needed, b)
		}
	}
	return needed
}

// buildBinaries compiles what dir does not have, one after the other: each alone uses all cores, and together they would
// need more memory than small machines have.
func buildBinaries(ctx context.Context, dir string, needed []binary, s *steps) error {
	todo := missing(dir, needed)
	if len(todo) == 0 {
		return nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("compiling the clusters' binaries needs Go 1.26 or later: install it from https://go.dev/dl, "+
			"or set %s to a folder that has %s", binDirVariable, strings.Join(names(todo), ", "))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of the binaries: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"), s)
	if err != nil {
		return err
	}
	defer unlock()
	return buildMissing(ctx, dir, needed, s)
}

func buildMissing(ctx context.Context, dir string, needed []binary, s *steps) error {
	todo := missing(dir, needed) // another fleet may have built some while we waited for it
	if len(todo) > 1 {
		s.say("Compiling %s of Kubernetes %s, etcd %s and kwok %s into %s.\n"+
			"All of them take about 10 minutes on two cores; the next fleets find them there.",
			strings.Join(names(todo), ", "), KubernetesVersion, EtcdVersion, KwokVersion, dir)
	}
	for _, b := range todo {
		if err := s.do("compiling "+b.name, func() error { return b.build(ctx, dir) }); err != nil {
			return err
		}
	}
	return nil
}

// build compiles b under another name first, so that an interrupted build is not taken for a binary.
func (b binary) build(ctx context.Context, dir string) error {
	source, err := b.writeModule(dir)
	if err != nil {
		return err
	}
	target := filepath.Join(dir, b.name)
	command := []string{"build"}
	if b.test {
		command = []string{"test", "-c", "-vet=off"}
	}
	cmd := exec.CommandContext(ctx, "go", append(command, "-trimpath", "-ldflags="+b.linkFlags(), "-o", target+".new", b.pkg)...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod") // Neither is the caller's: this is not their module.
	if b.static {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	output, err := cmd.CombinedOutput()
	if err != nil {
		log := filepath.Join(dir, b.name+".log")
		if writeErr := os.WriteFile(log, output, 0o644); writeErr != nil {
			return fmt.Errorf("compiling %s: %w: %s", b.name, err, output)
		}
		return fmt.Errorf("compiling %s: %w\n  its log is %s and ends with:\n%s", b.name, err, log, tail(log, 5))
	}
	return os.Rename(target+".new", target)
}

// writeModule writes b's module next to the binaries and returns its folder.
func (b binary) writeModule(dir string) (string, error) {
	folder := filepath.Join(dir, "src", b.module)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of a module: %w", err)
	}
	files, err := modules.ReadDir("binaries/" + b.module)
	if err != nil {
		return "", err
	}
	for _, file := range files {
		data, err := modules.ReadFile("binaries/" + b.module + "/" + file.Name())
		if err != nil {
			return "", err
		}
		name := file.Name()
		if kind, ok := strings.CutPrefix(name, b.module+"."); ok {
			name = "go." + kind
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			return "", fmt.Errorf("writing a module: %w", err)
		}
	}
	return folder, nil
}

// linkFlags strip symbols and set Kubernetes' version: without it an API server calls itself v0.0.0 and clients refuse it.
func (b binary) linkFlags() string {
	flags := "-s -w"
	if b.module != "kubernetes" {
		return flags
	}
	minor := strings.Split(KubernetesVersion, ".")[1]
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags += fmt.Sprintf(" -X %[1]s.gitVersion=%[2]s -X %[1]s.gitMajor=1 -X %[1]s.gitMinor=%[3]s",
			pkg, KubernetesVersion, minor)
	}
	return flags
}

// lock waits until no other process builds there.
func lock(ctx context.Context, file string, s *steps) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the folder of the binaries: %w", err)
	}
	try := func(context.Context) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	if try(ctx) != nil {
		err = s.do("waiting for another fleet that compiles the same binaries", func() error { return poll(ctx, time.Hour, try) })
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking the folder of the binaries: %w", err)
	}
	return func() { _ = f.Close() }, nil // Closing the file gives the lock back.
}

func missing(dir string, needed []binary) (todo []binary) {
	for _, b := range needed {
		if !exists(filepath.Join(dir, b.name)) {
			todo = append(todo, b)
		}
	}
	return todo
}

func names(of []binary) (names []string) {
	for _, b := range of {
		names = append(names, b.name)
	}
	return names
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
