package follow

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// MissingError says that a pod needs an object that the source does not have.
type MissingError struct{ Kind, Namespace, Name string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s %s/%s does not exist in the source cluster: create it, or mark the pod's reference to it optional",
		e.Kind, e.Namespace, e.Name)
}

// IsMissing says whether err is or wraps a MissingError.
func IsMissing(err error) bool {
	var target *MissingError
	return errors.As(err, &target)
}

// RefusedError says that a Secret is the source's service-account token, which would give a target rights in the source.
type RefusedError struct{ Namespace, Name string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("Secret %s/%s has the type %s and is never shipped: refer to a Secret of another type, or to none",
		e.Namespace, e.Name, corev1.SecretTypeServiceAccountToken)
}

// IsRefused says whether err is or wraps a RefusedError.
func IsRefused(err error) bool {
	var target *RefusedError
	return errors.As(err, &target)
}

// ForeignError says that an object in the target has a copy's name but is not that copy.
type ForeignError struct{ Kind, Namespace, Name, Target, Source string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s %s/%s in target %s is not Spillway's copy of %s and is left alone: delete it there",
		e.Kind, e.Namespace, e.Name, e.Target, e.Source)
}

// IsForeign says whether err is or wraps a ForeignError.
func IsForeign(err error) bool {
	var target *ForeignError
	return errors.As(err, &target)
}

func (p place) foreign() error {
	return &ForeignError{
		Kind: p.source.Kind, Namespace: p.namespace, Name: p.name(), Target: p.target, Source: p.source.String(),
	}
}
