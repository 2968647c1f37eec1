package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// Up starts a fleet and waits until it is ready to take pods. A fleet that already runs is returned as it is. After a
// failure nothing is left but the logs, unless o.Retain.
func Up(ctx context.Context, o Options) (*Fleet, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	u := &up{Options: o, steps: newSteps(o.Out)}
	running, err := u.existing()
	if running != nil || err != nil {
		return running, err
	}
	for _, step := range []func(context.Context) error{
		u.require,     // what the runtimes need of this machine
		u.binaries,    // compile them, or find those of an earlier fleet
		u.claim,       // the folder is ours from here on
		u.prepare,     // certificates, kubeconfigs, configuration
		u.clusters,    // control planes and nodes, side by side
		u.api,         // the CRDs and the admission policy, in every source
		u.targets,     // a Secret and a Target for each target cluster, in every source
		u.controllers, // one for every source
		u.ready,       // from now on a second Up finds this fleet
	} {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil {
				err = fmt.Errorf("starting fleet %s: %w", u.Name, context.Cause(ctx)) // Such as "interrupt signal received".
			}
			return nil, u.giveUp(err)
		}
	}
	return u.fleet, nil
}

// up is a fleet on its way up; fleet is nil until its folder is claimed.
type up struct {
	Options
	steps *steps
	fleet *Fleet
}

// existing returns the fleet that runs in the folder. A fleet that is there but does not run is an error, never replaced:
// its logs may be wanted.
func (u *up) existing() (*Fleet, error) {
	f, err := Load(u.Dir)
	if IsNotFound(err) {
		return nil, u.mustBeEmpty()
	}
	if err != nil {
		return nil, err
	}
	if f.Name != u.Name {
		return nil, fmt.Errorf("%s is the folder of fleet %s: choose another --dir", u.Dir, f.Name)
	}
	if !f.state.Ready {
		return nil, fmt.Errorf("fleet %s %w: wait, or remove it with: %s", f.Name, errInterrupted, f.DownCommand())
	}
	all, err := f.processes()
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !p.alive() {
			err := componentError(p, errEnded)
			return nil, fmt.Errorf("fleet %s is damaged, remove it with: %s\n%w", f.Name, f.DownCommand(), err)
		}
	}
	u.steps.say("%s fleet %s is already running, as it was started: to change it, first: %s", markGood, f.Name, f.DownCommand())
	return f, nil
}

// mustBeEmpty refuses a folder with somebody's files: Down removes what Up made there.
func (u *up) mustBeEmpty() error {
	entries, err := os.ReadDir(u.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking into the fleet's folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty (it has %s): choose another --dir", u.Dir, entries[0].Name())
	}
	return nil
}

// require checks that this machine has what the runtimes need, and installs what the user lets it install.
func (u *up) require(ctx context.Context) error {
	if u.Config.uses(RuntimeContainerd) {
		if err := u.requireContainerd(ctx); err != nil {
			return err
		}
	}
	if u.Config.uses(RuntimeKind) {
		return requireKind(u.steps)
	}
	return nil
}

func (u *up) binaries(ctx context.Context) error {
	dir, err := binDir()
	if err != nil {
		return err
	}
	if err := buildBinaries(ctx, dir, u.Config.binaries(), u.steps); err != nil {
		return err
	}
	if u.Config.uses(RuntimeContainerd) {
		return writeImages(dir, u.steps)
	}
	return nil
}

func (u *up) claim(context.Context) error {
	bin, err := binDir()
	if err != nil {
		return err
	}
	f := &Fleet{Name: u.Name, Dir: u.Dir, state: state{
		Name: u.Name, Runtime: u.Runtime, Bin: bin, Config: u.Config,
		Ports: map[string]ports{}, Networks: map[string]network{},
	}}
	for _, name := range f.Clusters() {
		if f.state.Ports[name], err = pickPorts(); err != nil {
			return err
		}
		if f.cluster(name).real() {
			if f.state.Networks[name], err = pickNetwork(); err != nil {
				return err
			}
		}
	}
	if err := f.claim(); err != nil {
		return err
	}
	u.fleet = f
	return nil
}

func (u *up) prepare(context.Context) error {
	if failed, err := failedDir(u.Name); err == nil {
		_ = os.RemoveAll(failed) // Logs of the last failure; this one is about to have its own.
	}
	for _, name := range u.fleet.Clusters() {
		if err := u.fleet.runtime(name).prepare(); err != nil {
			return err
		}
	}
	return nil
}

func (u *up) clusters(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range u.fleet.Clusters() {
		c, nodes := u.fleet.cluster(name), u.fleet.runtime(name)
		group.Go(func() error {
			return u.steps.do(fmt.Sprintf("cluster %s: control plane and %s", name, count(len(c.nodes()), "node")),
				func() error { return nodes.start(ctx) })
		})
	}
	return group.Wait()
}

func (u *up) api(ctx context.Context) error {
	return u.eachSource("the spillway.dev API and the admission policy", func(source string) error {
		return u.fleet.installAPI(ctx, source)
	})
}

func (u *up) targets(ctx context.Context) error {
	return u.eachSource(count(len(u.fleet.Targets()), "target")+" to burst to", func(source string) error {
		return u.fleet.installTargets(ctx, source)
	})
}

func (u *up) controllers(ctx context.Context) error {
	if u.WithoutController {
		return nil
	}
	err := u.eachSource(controller, func(source string) error {
		return u.fleet.StartController(ctx, ControllerOptions{
			Name: u.fleet.controllerName(source), Kubeconfig: u.fleet.Kubeconfig(source),
		})
	})
	if err != nil {
		return err
	}
	return u.eachSource("every target ready", func(source string) error { return u.fleet.waitTargets(ctx, source) })
}

func (u *up) ready(context.Context) error {
	u.fleet.state.Ready = true
	return u.fleet.save()
}

func (u *up) eachSource(text string, work func(source string) error) error {
	for _, source := range u.fleet.Sources() {
		if err := u.steps.do("cluster "+source+": "+text, func() error { return work(source) }); err != nil {
			return err
		}
	}
	return nil
}

// giveUp cleans up after err and keeps the logs, so that the one that err names can be read.
func (u *up) giveUp(err error) error {
	if u.fleet == nil {
		return err
	}
	if u.Retain {
		u.steps.say("Kept as it is (--retain): %s\nRemove it with: %s", u.Dir, u.fleet.DownCommand())
		return err
	}
	ctx := context.Background() // The caller's is over when they pressed Ctrl-C.
	cleanErr := u.steps.do("cleaning up", func() error {
		if stopErr := u.fleet.stopAll(ctx); stopErr != nil {
			return stopErr
		}
		if removeErr := u.fleet.removeNodes(ctx); removeErr != nil {
			return removeErr
		}
		if to, keepErr := u.fleet.keepLogs(); keepErr == nil {
			moveLog(err, u.Dir, to)
		}
		return u.fleet.remove()
	})
	return errors.Join(err, cleanErr)
}

// claim makes the folder and, in one indivisible step, fleet.json: of two that start the same fleet one wins.
func (f *Fleet) claim() error {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("making the fleet's folder: %w", err)
	}
	draft := filepath.Join(f.Dir, fmt.Sprintf(".claim-%d", os.Getpid()))
	if err := writeJSON(draft, f.state); err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft) }()
	err := os.Link(draft, filepath.Join(f.Dir, stateFile))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("fleet %s %w: wait, or remove it with: %s", f.Name, errInterrupted, f.DownCommand())
	}
	return err
}

func (f *Fleet) save() error { return writeJSON(filepath.Join(f.Dir, stateFile), f.state) }
