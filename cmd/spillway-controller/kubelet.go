package main

import (
	"context"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/clock"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/kubelet"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/pkg/usage"
	"github.com/spillway-dev/spillway/pkg/virtualnode"
)

// kubeletAPI returns what starts the kubelet API of one virtual node.
func (p *process) kubeletAPI(ctx context.Context) (virtualnode.Endpoints, error) {
	ip, err := p.options.kubeletIP()
	if err != nil {
		return nil, err
	}
	auth, err := kubelet.NewAuth(ctx, p.client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, node string) (virtualnode.Endpoint, error) {
		serving := kubelet.ServingOptions{NodeName: node, Addresses: []net.IP{ip}}
		if p.options.kubeletServingSigner {
			serving.Client = p.client
		}
		certificates, err := kubelet.NewServing(ctx, serving)
		if err != nil {
			return virtualnode.Endpoint{}, err
		}
		server, err := kubelet.New(kubelet.Options{NodeName: node, Address: p.options.kubeletAddress, Ports: p.options.kubeletPorts,
			Certificates: certificates.Certificate, Auth: auth, Locator: locator{p},
			Usage: usage.New(usage.Options{NodeName: node, Clock: clock.RealClock{}, Place: func() (usage.Place, bool) { return p.placeOf(node) }})})
		if err != nil {
			return virtualnode.Endpoint{}, err
		}
		address, err := server.Listen()
		if err != nil {
			return virtualnode.Endpoint{}, err
		}
		go func() {
			if err := server.Serve(ctx); err != nil {
				ctrllog.FromContext(ctx).Error(err, "kubelet API ended", "node", node)
			}
		}()
		return virtualnode.Endpoint{IP: ip, Port: int32(address.(*net.TCPAddr).Port)}, nil
	}, nil
}

// confirmTimeout is as long as connecting to a target may take.
const confirmTimeout = 10 * time.Second

// locator finds delegates in the caches of mirror and targets.
type locator struct{ *process }

var _ kubelet.Locator = locator{}

func (l locator) Locate(_ context.Context, node, namespace, name string) (kubelet.Location, error) {
	t := l.registry.ByNode(node)
	pod := l.mirror.Find(namespace, name)
	if t == nil || pod == nil || pod.Spec.NodeName != node {
		return kubelet.Location{}, apierrors.NewNotFound(corev1.Resource("pods"), fmt.Sprintf("%s/%s on node %s", namespace, name, node))
	}
	found := delegateOf(t, pod)
	if found == nil {
		return kubelet.Location{}, apierrors.NewNotFound(corev1.Resource("pods"), fmt.Sprintf("delegate of %s/%s in target %s", namespace, name, t.Name()))
	}
	return kubelet.Location{Target: t.Name(), Config: t.RESTConfig(), Namespace: found.Namespace, Pod: found.Name,
		UID: found.UID, SourceUID: pod.UID}, nil
}

// Confirm lists by name, which those may do who may watch; the right to get single pods is not asked of a target.
func (l locator) Confirm(ctx context.Context, at kubelet.Location) (bool, error) {
	t := l.registry.Get(at.Target)
	if t == nil {
		return false, apierrors.NewServiceUnavailable(fmt.Sprintf("target %q is not connected any more", at.Target))
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	found, err := t.Client().CoreV1().Pods(at.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, at.Pod).String()})
	if err != nil {
		return false, fmt.Errorf("confirming the delegate: %w", err)
	}
	return len(found.Items) == 1 && found.Items[0].UID == at.UID, nil
}

func (l locator) Pods(node string) []*corev1.Pod { return l.mirror.OnNode(node) }

// delegateOf is the pod's delegate, or nil. A pod of the target that only carries a delegate's labels is none: its name
// would have to be a hash of the source pod's UID as well, and of two pods only one has it.
func delegateOf(t *target.Target, pod *corev1.Pod) *corev1.Pod {
	if found := t.DelegateOf(pod.UID); found != nil && found.Name == delegate.Name(pod, t.SourceCluster()) {
		return found
	}
	return nil
}

// placeOf is what is behind a virtual node, for what its pods use.
func (p *process) placeOf(node string) (usage.Place, bool) {
	t := p.registry.ByNode(node)
	if t == nil {
		return usage.Place{}, false
	}
	place := usage.Place{Target: t.Name(), Client: t.Client().CoreV1().RESTClient(),
		Selector: labels.SelectorFromSet(labels.Set{v1alpha1.LabelSourceCluster: t.SourceCluster(), v1alpha1.LabelTarget: t.Name()}).String()}
	for _, pod := range p.mirror.OnNode(node) {
		if found := delegateOf(t, pod); found != nil {
			place.Pods = append(place.Pods, usage.Pod{Source: pod, Delegate: found})
		}
	}
	return place, true
}
