package review

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1defaults "k8s.io/kubernetes/pkg/apis/core/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

// question is a review made ready to be answered.
type question struct {
	pod      *corev1.Pod
	whatIf   schedulerplugin.WhatIf
	supposed []string
}

// unanswerable is a question that cannot be answered, with what its author can do.
type unanswerable struct{ reason, message string }

func (u *unanswerable) Error() string { return u.message }

func refuse(reason, format string, args ...any) error {
	return &unanswerable{reason: reason, message: fmt.Sprintf(format, args...)}
}

// understand finds the pod that a review is about and what it supposes. Its errors are *unanswerable.
func (c *Controller) understand(r *v1alpha1.PlacementReview) (*question, error) {
	q := &question{}
	if err := c.findPod(q, r); err != nil {
		return nil, err
	}
	if s := q.pod.Spec.SchedulerName; s != v1alpha1.SchedulerName {
		return nil, refuse(ReasonNotElected, saysScheduler, s)
	}
	if r.Spec.Template != nil { // the namespace's admission would not elect it, so its events would name no target
		if why := c.Asked.MayLeave(q.pod); why != "" {
			return nil, refuse(ReasonNotElected, "%s", why)
		}
	}
	if w := r.Spec.WhatIf; w != nil {
		return q, c.suppose(q, w)
	}
	return q, nil
}

func (c *Controller) findPod(q *question, r *v1alpha1.PlacementReview) error {
	if r.Spec.Template != nil {
		pod, err := fromTemplate(r)
		q.whatIf.Anew = true // nor is there a group that it could wait for
		q.pod, q.supposed = pod, append(q.supposed, fmt.Sprintf(supposesAdmitted, r.Namespace))
		return err
	}
	found, err := c.Pods.Pods(r.Namespace).Get(r.Spec.PodName)
	if err != nil {
		return refuse(ReasonPodNotFound, saysNoPod, r.Spec.PodName, r.Namespace)
	}
	q.pod = found
	if node := found.Spec.NodeName; node != "" {
		q.pod = found.DeepCopy()
		q.pod.Spec.NodeName = ""
		q.whatIf.Anew = true
		q.supposed = append(q.supposed, fmt.Sprintf(supposesAnew, node))
	}
	return nil
}

// fromTemplate makes the pod that the API server would make of a template: with the defaults, and elected if it asks for
// that. Whether its namespace allows that is looked at as for any pod.
func fromTemplate(r *v1alpha1.PlacementReview) (*corev1.Pod, error) {
	template := corev1.PodTemplateSpec{}
	if err := json.Unmarshal(r.Spec.Template.Raw, &template); err != nil { // unknown fields may be a newer API server's
		return nil, refuse(ReasonTemplateInvalid, saysNoTemplate, err)
	}
	switch {
	case len(template.Spec.Containers) == 0:
		return nil, refuse(ReasonTemplateInvalid, saysNoContainers)
	case template.Spec.NodeName != "":
		return nil, refuse(ReasonTemplateInvalid, saysNodeName, template.Spec.NodeName)
	}
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.UID = r.Namespace, r.UID
	if pod.Name == "" {
		pod.Name = r.Name
	}
	corev1defaults.SetObjectDefaults_Pod(pod)
	if pod.Spec.SchedulerName == corev1.DefaultSchedulerName {
		pod.Spec.SchedulerName = v1alpha1.SchedulerName
	}
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[v1alpha1.LabelElected] = v1alpha1.ElectedTrue
	return pod, nil
}

func (c *Controller) suppose(q *question, w *v1alpha1.WhatIf) error {
	places := c.Asked.Places()
	for _, name := range w.TargetsDown {
		if !slices.Contains(places, name) {
			return refuse(ReasonTargetUnknown, saysUnknownTarget, name, strings.Join(places, ", "))
		}
		q.supposed = append(q.supposed, fmt.Sprintf(supposesDown, name))
	}
	q.whatIf.Down = w.TargetsDown
	if w.Policy != "" {
		policy, err := c.Policies.Named(q.pod.Namespace, w.Policy)
		if err != nil {
			return refuse(ReasonPolicyUnusable, "%v", err)
		}
		q.whatIf.Policy = policy
		q.supposed = append(q.supposed, fmt.Sprintf(supposesPolicy, policy.Name))
	}
	if w.Weights != nil {
		q.whatIf.Weights = w.Weights
		q.supposed = append(q.supposed, fmt.Sprintf(supposesWeights, w.Weights.Cost, w.Weights.Carbon, w.Weights.Capacity))
	}
	return nil
}
