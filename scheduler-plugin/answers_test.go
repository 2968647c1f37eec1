package schedulerplugin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The texts are those of kube-apiserver 1.37.
func TestAnswerOf(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	forbidden := func(text string) error {
		return fmt.Errorf(reasonCreating, apierrors.NewForbidden(pods, "web-x", errors.New(text)))
	}
	tests := map[string]struct {
		err      error
		wantKind refusalKind
		wantOwn  bool
	}{
		"the target's scheduler finds no node":    {err: noRoom(errors.New("0/2 nodes are available: 2 Insufficient cpu")), wantKind: forRoom},
		"the target's scheduler says nothing":     {err: noRoom(fmt.Errorf(reasonNotScheduled, 30*time.Second)), wantKind: forRoom},
		"a quota is used up":                      {err: forbidden("exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2"), wantKind: forRoom},
		"a quota wants what the pod does not say": {err: forbidden("failed quota: small: must specify limits.cpu for: main"), wantKind: byRule},
		"PodSecurity":                         {err: forbidden(`violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false`), wantKind: byRule},
		"an admission policy":                 {err: forbidden("ValidatingAdmissionPolicy 'no-latest' with binding 'no-latest' denied request: pin the image"), wantKind: byRule},
		"a webhook says no":                   {err: forbidden(`admission webhook "policy.example.com" denied the request: not here`), wantKind: byRule},
		"a webhook does not answer":           {err: fmt.Errorf(reasonCreating, apierrors.NewInternalError(errors.New(`failed calling webhook "policy.example.com"`))), wantKind: byRule},
		"a namespace is missing":              {err: fmt.Errorf(reasonNoNamespace, "shop"), wantKind: byRule},
		"a service account is missing":        {err: forbidden(`error looking up service account shop/default: serviceaccount "default" not found`), wantKind: byRule},
		"a priority class is missing":         {err: forbidden("no PriorityClass with name high was found"), wantKind: byRule},
		"the pod is not valid there":          {err: fmt.Errorf(reasonCreating, apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "web-x", nil)), wantKind: byRule},
		"the target deletes what it was sent": {err: errors.New(reasonDelegateGone), wantKind: byRule},
		"another pod has the name":            {err: ofThisPod(fmt.Errorf(reasonNameTaken, "shop", "web-x")), wantKind: byRule, wantOwn: true},
		"wrapped on its way":                  {err: fmt.Errorf("shipping: %w", ofThisPod(errors.New("no"))), wantKind: byRule, wantOwn: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := answerOf(test.err)
			assert.Equal(t, test.wantKind, got.kind)
			assert.Equal(t, test.wantOwn, got.own)
			assert.Equal(t, test.err.Error(), got.Error(), "the words stay the target's")
		})
	}
}

func TestWorthRemembering(t *testing.T) {
	assert.True(t, worthRemembering(errors.New("no")))
	assert.True(t, worthRemembering(context.DeadlineExceeded), "a target that does not answer in time")
	assert.False(t, worthRemembering(fmt.Errorf("creating: %w", context.Canceled)), "the process ends")
	assert.False(t, worthRemembering(&errRemembered{reason: "no"}), "it is remembered already")
}
