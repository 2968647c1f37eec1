package review

// Reasons of the condition Answered. The first two answer the question; the others say why it cannot be answered.
const (
	ReasonPlaceFound      = "PlaceFound"
	ReasonNoPlaceFits     = "NoPlaceFits"
	ReasonPodRefused      = "PodRefused" // wherever it would go
	ReasonPodNotFound     = "PodNotFound"
	ReasonTemplateInvalid = "TemplateInvalid"
	ReasonNotElected      = "NotElected"
	ReasonTargetUnknown   = "TargetUnknown"
	ReasonPolicyUnusable  = "PolicyUnusable"
	ReasonFailed          = "Failed"
)

// What the condition says.
const (
	saysWinner        = "%s would take it"
	saysNothing       = "0/%d places fit"
	saysNoPod         = "there is no pod %s in namespace %s that has not ended: name another one, or give a template"
	saysNoTemplate    = "the template cannot be read: %v: write metadata and spec as in a Deployment's spec.template"
	saysNoContainers  = "the template has no containers: give it at least one in spec.containers"
	saysNodeName      = "the template names its node, %s, so nothing is decided: leave spec.nodeName out"
	saysScheduler     = "the pod names another scheduler, %s: leave spec.schedulerName out"
	saysUnknownTarget = "there is no Target %s to suppose down: there are %s"
)

// What an answer takes for granted.
const (
	supposesDown     = "%s is down"
	supposesWeights  = "the weights are cost=%d, carbon=%d, capacity=%d"
	supposesPolicy   = "the policy is %s"
	supposesAnew     = "it is placed anew, and leaves the room that it takes on %s"
	supposesAdmitted = "it is admitted to namespace %s as elected"
)
