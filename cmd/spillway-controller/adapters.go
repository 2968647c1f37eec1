package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/follow"
	"github.com/spillway-dev/spillway/pkg/mirror"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/pkg/signal"
	"github.com/spillway-dev/spillway/pkg/target"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

// follower lets packages that know targets use the follower, which does not.
type follower struct{ *follow.Follower }

func (f follower) Ensure(ctx context.Context, t *target.Target, namespace string, pod *corev1.Pod) error {
	return f.Follower.Ensure(ctx, t, namespace, pod)
}

func (f follower) Release(ctx context.Context, t *target.Target, namespace string, uid types.UID) {
	f.Follower.Release(ctx, t, namespace, uid)
}

// signalReader puts a reading into the words of a Target's status.
type signalReader struct{ reader *signal.Reader }

func (s signalReader) Read(spec *v1alpha1.TargetSpec, now time.Time) (placement.Signals, v1alpha1.SignalStatus, error) {
	reading, err := s.reader.Read(spec, now)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return reading.Signals, reading.Status(), err
}

// sends puts together what the scheduler has on its way and what mirror and targets see.
type sends struct {
	plugin *schedulerplugin.Plugin
	mirror *mirror.Mirror
}

var _ target.Sends = sends{}

func (s sends) Unsettled(t *target.Target) bool {
	return !s.mirror.Synced() || s.plugin.Unsettled(t.Name()) || slices.ContainsFunc(t.DelegateUIDs(), func(uid types.UID) bool {
		return s.mirror.Waits(uid) && !s.plugin.Marked(uid)
	})
}

func namespaceLabels(lister corelisters.NamespaceLister) func(string) (labels.Set, bool) {
	return func(name string) (labels.Set, bool) {
		namespace, err := lister.Get(name)
		if err != nil {
			return nil, false
		}
		return namespace.Labels, true
	}
}

// configMapTimeout bounds the read of a signal, which is made when a Target is reconciled, never while a pod waits.
const configMapTimeout = 5 * time.Second

// configMapsOf reads the few ConfigMaps that hold signals when they are needed: a watch would hold all of the cluster's.
func configMapsOf(reader client.Reader) func(namespace, name string) (*corev1.ConfigMap, error) {
	return func(namespace, name string) (*corev1.ConfigMap, error) {
		ctx, cancel := context.WithTimeout(context.Background(), configMapTimeout)
		defer cancel()
		configMap := &corev1.ConfigMap{}
		return configMap, reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, configMap)
	}
}

func (p *process) checkReady(*http.Request) error {
	if !p.ready.Load() && !p.options.leaderElect {
		return errors.New("still reading the source and its targets")
	}
	return nil // a standby is ready to take over
}

// forgetting drops what the follower knows of a target that is gone.
type forgetting struct{ *follow.Follower }

var _ target.Listener = forgetting{}

// TargetAdded needs nothing: a target is first heard of when something is shipped to it.
func (forgetting) TargetAdded(*target.Target) {}

// TargetRemoved forgets the target; the pods of one that comes back are followed anew.
func (f forgetting) TargetRemoved(t *target.Target) { f.Forget(t.Name()) }

// places are what there is to choose from, for a policy's condition Effective: the targets' virtual nodes, and the source's
// own nodes as one. A label that a Target has just got is not on its node yet.
func (p *process) places() ([]placement.Place, bool) {
	empty := placement.Request{}
	here := placement.Place{Name: placement.LocalName, Local: true}
	if self := p.registry.Self(); self != nil {
		here.Estimate = placement.EstimateFor(empty, self.Signals)
	}
	all := []placement.Place{here}
	for _, t := range p.registry.List() {
		set := labels.Set{}
		if node, err := p.nodes.Get(t.NodeName()); err == nil {
			set = labels.Merge(set, node.Labels)
		}
		set = labels.Merge(set, t.Spec().Labels)
		set[v1alpha1.LabelTarget] = t.Name()
		all = append(all, placement.Place{Name: t.Name(), Labels: set, Estimate: placement.EstimateFor(empty, t.Signals())})
	}
	return all, p.ready.Load()
}
