package target

import (
	"sort"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Listener learns of targets that come and go. Calls are made one at a time, each target's Added before its Removed.
type Listener interface {
	// TargetAdded is called before the target's watches start, so that handlers miss nothing.
	TargetAdded(t *Target)
	// TargetRemoved is called after its watches have stopped.
	TargetRemoved(t *Target)
}

// Registry holds the live targets and what is known of the source cluster itself. The zero value is ready.
type Registry struct {
	mu        sync.RWMutex
	byName    map[string]*Target
	self      *Self
	listeners []Listener
	repriced  []func()
}

// Self is the Target object with spec.self, which describes the source cluster's own nodes.
type Self struct {
	Object  *v1alpha1.Target
	Signals signals
}

// AddListener adds a listener; all are added before the first target.
func (r *Registry) AddListener(l Listener) { r.listeners = append(r.listeners, l) }

// Get returns a target by name, or nil.
func (r *Registry) Get(name string) *Target {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byName[name]
}

// ByNode returns the target of a virtual node by the node's name, or nil.
func (r *Registry) ByNode(node string) *Target {
	name, ok := strings.CutPrefix(node, v1alpha1.VirtualNodePrefix)
	if !ok {
		return nil
	}
	return r.Get(name)
}

// List returns all targets by name.
func (r *Registry) List() []*Target {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*Target, 0, len(r.byName))
	for _, t := range r.byName {
		list = append(list, t)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list
}

// Self returns what is known of the source cluster, or nil when no Target describes it.
func (r *Registry) Self() *Self {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.self
}

// OnSignals adds a function that is called after a price or a carbon intensity of a target, or of the source cluster, has
// changed. All are added before the first target; none may block.
func (r *Registry) OnSignals(do func()) { r.repriced = append(r.repriced, do) }

// setSignals replaces the signals in force of the object's target, or of the source cluster.
func (r *Registry) setSignals(object *v1alpha1.Target, now signals) {
	var was *signals
	if object.Spec.Self {
		if self := r.Self(); self != nil {
			was = &self.Signals
		}
		r.setSelf(&Self{Object: object, Signals: now})
	} else if live := r.Get(object.Name); live != nil {
		was = live.signals.Load()
		live.SetSignals(now)
	}
	if was != nil && equality.Semantic.DeepEqual(*was, now) {
		return
	}
	for _, do := range r.repriced {
		do()
	}
}

func (r *Registry) setSelf(s *Self) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.self = s
}

// Add makes a target known. Its watches are started by the caller afterwards.
func (r *Registry) Add(t *Target) {
	r.mu.Lock()
	if r.byName == nil {
		r.byName = map[string]*Target{}
	}
	r.byName[t.name] = t
	r.mu.Unlock()
	for _, l := range r.listeners {
		l.TargetAdded(t)
	}
}

// Remove stops a target and makes it unknown.
func (r *Registry) Remove(t *Target) {
	r.mu.Lock()
	if r.byName[t.name] == t {
		delete(r.byName, t.name)
	}
	r.mu.Unlock()
	t.Stop()
	for _, l := range r.listeners {
		l.TargetRemoved(t)
	}
}
