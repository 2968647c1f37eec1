package target

import (
	"sort"
	"strings"
	"sync"

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
