package delegate

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// StatusOptions say of which target a status comes.
type StatusOptions struct {
	// Network of the Target: pod addresses are believed only of a Routable one.
	Network v1alpha1.Network
	// Target is its name; messages begin with it, so that the reader knows who speaks.
	Target string
	// HostIP is the address of the target's virtual node: the node that a user of the source sees, and can ask.
	HostIP string
	// Now dates the conditions that are decided here.
	Now metav1.Time
}

// Status returns the whole status that a source pod should have, given its delegate. It is an allow-list: what is not
// taken from the delegate stays the source's, so that a hostile target can say how its pods fare and nothing else. A
// source pod that has ended, and a delegate that has no news yet, give the source's status as it is. The result may share
// memory with both pods: it is for comparing and patching.
func Status(source, delegate *corev1.Pod, o StatusOptions) corev1.PodStatus {
	want, got := source.Status, &delegate.Status
	if hasEnded(want.Phase) || !hasNews(got) {
		return want
	}
	names := resourceNames(&source.Spec)
	want.Phase = phase(got.Phase, want.Phase)
	want.Reason = word(got.Reason)
	want.Message = saidBy(o.Target, got.Message)
	if got.StartTime != nil {
		want.StartTime = got.StartTime
	}
	want.InitContainerStatuses = containerStatuses(got.InitContainerStatuses, isContainer(source.Spec.InitContainers), names)
	want.ContainerStatuses = containerStatuses(got.ContainerStatuses, isContainer(source.Spec.Containers), names)
	want.EphemeralContainerStatuses = containerStatuses(got.EphemeralContainerStatuses, isEphemeral(source), names)
	g := generationsOf(source, delegate)
	want.Conditions = conditions(source, delegate, g, o)
	want.PodIP, want.PodIPs = podIPs(got.PodIPs, o.Network)
	if o.HostIP != "" {
		want.HostIP, want.HostIPs = o.HostIP, []corev1.HostIP{{IP: o.HostIP}}
	}
	want.Resize = resize(got.Resize)
	want.AllocatedResources = names.known(got.AllocatedResources)
	want.Resources = names.knownRequirements(got.Resources)
	notAhead(&want, &source.Status, o.Now)
	want.ObservedGeneration = g.observed(got.ObservedGeneration, want.ObservedGeneration)
	return want
}

func hasEnded(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}

// hasNews is false until a node of the target has begun with the delegate: that it is scheduled, the source knows from
// its own scheduler, and a write for it would be one more for every pod.
func hasNews(got *corev1.PodStatus) bool {
	return got.Phase != "" && got.Phase != corev1.PodPending ||
		len(got.ContainerStatuses) > 0 || len(got.InitContainerStatuses) > 0
}

// phase keeps the source's where the target says nothing that a source pod can be.
func phase(got, old corev1.PodPhase) corev1.PodPhase {
	switch got {
	case corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed:
		return got
	default:
		return old
	}
}

func resize(got corev1.PodResizeStatus) corev1.PodResizeStatus {
	switch got {
	case corev1.PodResizeStatusInProgress, corev1.PodResizeStatusDeferred, corev1.PodResizeStatusInfeasible:
		return got
	default:
		return ""
	}
}

// generations of a source pod and its delegate, which count from their own creations.
type generations struct {
	source, delegate int64
	current          bool // the delegate's latest spec is the source's latest
}

func generationsOf(source, delegate *corev1.Pod) generations {
	return generations{source: source.Generation, delegate: delegate.Generation, current: isCurrent(source, delegate)}
}

// observed translates what a kubelet has observed. Where that cannot be done the old one stays, as the API server keeps it
// too, so that an absent one is no difference.
func (g generations) observed(got, old int64) int64 {
	if got != 0 && got == g.delegate && g.current {
		return g.source
	}
	return old
}

// podIPs believes one address of each family, of the kind that a pod can have: the source's Services send their traffic
// there.
func podIPs(got []corev1.PodIP, network v1alpha1.Network) (string, []corev1.PodIP) {
	if network != v1alpha1.NetworkRoutable {
		return "", nil
	}
	var ips []corev1.PodIP
	var seen4, seen6 bool
	for _, ip := range got {
		address, err := netip.ParseAddr(ip.IP)
		if err != nil || !address.IsGlobalUnicast() || address.Is4In6() || address.Zone() != "" {
			continue
		}
		seen := &seen6
		if address.Is4() {
			seen = &seen4
		}
		if !*seen {
			ips = append(ips, corev1.PodIP{IP: address.String()})
			*seen = true
		}
	}
	if len(ips) == 0 {
		return "", nil
	}
	return ips[0].IP, ips
}
