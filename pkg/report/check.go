package report

import (
	"bytes"
	"fmt"
	"io"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// leaseGrace is as long as Kubernetes itself waits before it calls a node unknown.
const leaseGrace = 40 * time.Second

// Finding is the outcome of one check: what was looked at, what was seen and, when it is not well, what to do.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Failed counts findings that are not well.
func Failed(findings []Finding) int {
	failed := 0
	for _, f := range findings {
		if !f.OK {
			failed++
		}
	}
	return failed
}

// CheckObject is about an object of the installation; err is what reading it gave.
func CheckObject(kind, name string, err error) Finding {
	f := Finding{Check: kind + " " + name}
	switch {
	case err == nil:
		f.OK, f.Detail = true, objectFound
	case apierrors.IsNotFound(err):
		f.Detail, f.Remedy = objectMissing, remedyInstall
	case meta.IsNoMatchError(err):
		f.Detail, f.Remedy = fmt.Sprintf(objectUnknownKind, kind), remedyKind
	default:
		f.Detail, f.Remedy = err.Error(), remedyRead
	}
	return f
}

// CheckCRD is about a CustomResourceDefinition with these conditions; err is what reading it gave.
func CheckCRD(name string, conditions []metav1.Condition, err error) Finding {
	f := CheckObject("CustomResourceDefinition", name, err)
	if !f.OK {
		return f
	}
	established := meta.FindStatusCondition(conditions, "Established")
	if established != nil && established.Status == metav1.ConditionTrue {
		f.Detail = crdEstablished
		return f
	}
	message := conditionMissing
	if established != nil {
		message = established.Reason + ": " + established.Message
	}
	return Finding{Check: f.Check, Detail: fmt.Sprintf(crdNot, message), Remedy: remedyInstall}
}

// CheckController tells by its traces whether the controller works: the leases that it renews for virtual nodes, and the
// generations of Targets that it has read.
func CheckController(targets []v1alpha1.Target, leases []coordinationv1.Lease, now time.Time) Finding {
	f := Finding{Check: "Controller", Remedy: remedyController}
	if len(targets) == 0 {
		f.Detail, f.Remedy = controllerNoTarget, remedyJoin
		return f
	}
	for _, t := range targets {
		if t.Status.ObservedGeneration < t.Generation {
			f.Detail = fmt.Sprintf(controllerBehind, t.Generation, t.Name, t.Status.ObservedGeneration)
			return f
		}
	}
	node, age := newest(targets, leases, now)
	switch {
	case node == "" && onlySelf(targets):
		f.Detail, f.Remedy = controllerNoTarget, remedyJoin
	case node == "":
		f.Detail = fmt.Sprintf(controllerNoLease, len(targets))
	case age > leaseGrace:
		f.Detail = fmt.Sprintf(controllerSilent, leaseGrace, node, age)
	default:
		return Finding{Check: f.Check, OK: true, Detail: fmt.Sprintf(controllerAlive, node, age)}
	}
	return f
}

// CheckTarget is one finding for each of the Target's conditions. What follows from a condition that has failed, because
// nothing is known or because it says the same, is left out: the remedy is the same too.
func CheckTarget(t *v1alpha1.Target) []Finding {
	var findings []Finding
	said := map[string]bool{}
	for _, kind := range []string{v1alpha1.ConditionReachable, v1alpha1.ConditionAuthorized, v1alpha1.ConditionCapacityKnown,
		v1alpha1.ConditionSignalsFresh, v1alpha1.ConditionReady} {
		c := meta.FindStatusCondition(t.Status.Conditions, kind)
		f := checkCondition("Target "+t.Name+": "+kind, c)
		switch {
		case f.OK:
		case kind == v1alpha1.ConditionReady && (t.Spec.Unschedulable || t.DeletionTimestamp != nil):
			f.OK = true // somebody wants it so
		case said[f.Detail] || len(said) > 0 && (c == nil || c.Status == metav1.ConditionUnknown):
			continue
		default:
			f.Remedy = fmt.Sprintf(remedyCondition, t.Name)
			said[f.Detail] = true
		}
		findings = append(findings, f)
	}
	return findings
}

// CheckPolicy is about the conditions of a PlacementPolicy or ClusterPlacementPolicy: whether it is Valid, and then whether
// it is Effective, where that is known; object is as kubectl names it.
func CheckPolicy(object string, conditions []metav1.Condition) Finding {
	f := checkCondition("Policy "+object, meta.FindStatusCondition(conditions, v1alpha1.ConditionValid))
	if effect := meta.FindStatusCondition(conditions, v1alpha1.ConditionEffective); f.OK && effect != nil {
		f = checkCondition("Policy "+object, effect)
	}
	if !f.OK {
		f.Remedy = fmt.Sprintf(remedyPolicy, object)
	}
	return f
}

// WriteFindings writes a line for each, what to do below those that failed, and a sum. A remedy that several failures in a
// row share stands below the last of them.
func WriteFindings(out io.Writer, findings []Finding) error {
	var b bytes.Buffer
	for i, f := range findings {
		if f.OK {
			fmt.Fprintf(&b, "✓ %s: %s\n", oneLine(f.Check), oneLine(f.Detail))
			continue
		}
		fmt.Fprintf(&b, "✗ %s: %s\n", oneLine(f.Check), oneLine(f.Detail))
		if i+1 == len(findings) || findings[i+1].Remedy != f.Remedy {
			fmt.Fprintf(&b, "    %s\n", oneLine(f.Remedy))
		}
	}
	if failed := Failed(findings); failed > 0 {
		fmt.Fprintf(&b, someFailed, failed, len(findings))
	} else {
		fmt.Fprintf(&b, allWell, len(findings))
	}
	_, err := out.Write(b.Bytes())
	return err
}

func checkCondition(check string, c *metav1.Condition) Finding {
	if c == nil {
		return Finding{Check: check, Detail: conditionMissing}
	}
	if c.Status == metav1.ConditionTrue {
		return Finding{Check: check, OK: true, Detail: c.Message}
	}
	return Finding{Check: check, Detail: c.Reason + ": " + c.Message}
}

// newest returns the virtual node whose lease was renewed last, and how long ago.
func newest(targets []v1alpha1.Target, leases []coordinationv1.Lease, now time.Time) (node string, age time.Duration) {
	ours := map[string]bool{}
	for _, t := range targets {
		ours[v1alpha1.VirtualNodeName(t.Name)] = true
	}
	for _, lease := range leases {
		if !ours[lease.Name] || lease.Spec.RenewTime == nil {
			continue
		}
		if since := now.Sub(lease.Spec.RenewTime.Time).Round(time.Second); node == "" || since < age {
			node, age = lease.Name, since
		}
	}
	return node, max(age, 0) // the clock here may be behind the cluster's
}

func onlySelf(targets []v1alpha1.Target) bool {
	for _, t := range targets {
		if !t.Spec.Self {
			return false
		}
	}
	return true
}
