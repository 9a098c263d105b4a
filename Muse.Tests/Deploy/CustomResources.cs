using k8s;
using k8s.Models;

namespace Muse.Tests.Deploy;

// The fields that the chart uses of objects that are not Kubernetes' own. Their names are those of KEDA 2 and the Prometheus operator;
// a field that is not here is refused.

sealed class ScaledObject : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";
    public string Kind { get; set; } = "";
    public V1ObjectMeta Metadata { get; set; } = new();
    public ScaledObjectSpec Spec { get; set; } = new();
}

sealed class ScaledObjectSpec
{
    public ScaleTarget ScaleTargetRef { get; set; } = new();
    public int? MinReplicaCount { get; set; }
    public int? MaxReplicaCount { get; set; }
    public int? PollingInterval { get; set; }
    public int? CooldownPeriod { get; set; }
    public ScaledObjectAdvanced? Advanced { get; set; }
    public List<ScaleTrigger> Triggers { get; set; } = [];
}

sealed class ScaleTarget
{
    public string Name { get; set; } = "";
}

sealed class ScaledObjectAdvanced
{
    public HorizontalPodAutoscalerConfig? HorizontalPodAutoscalerConfig { get; set; }
}

sealed class HorizontalPodAutoscalerConfig
{
    public V2HorizontalPodAutoscalerBehavior? Behavior { get; set; }
}

sealed class ScaleTrigger
{
    public string Type { get; set; } = "";
    public string? MetricType { get; set; }
    public Dictionary<string, string> Metadata { get; set; } = [];
}

sealed class ServiceMonitor : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";
    public string Kind { get; set; } = "";
    public V1ObjectMeta Metadata { get; set; } = new();
    public ServiceMonitorSpec Spec { get; set; } = new();
}

sealed class ServiceMonitorSpec
{
    public V1LabelSelector Selector { get; set; } = new();
    public List<MonitoredEndpoint> Endpoints { get; set; } = [];
}

sealed class MonitoredEndpoint
{
    public string Port { get; set; } = "";
    public string? Path { get; set; }
    public string? Interval { get; set; }
    public EndpointAuthorization? Authorization { get; set; }
    public List<Relabeling> Relabelings { get; set; } = [];
}

sealed class EndpointAuthorization
{
    public string? Type { get; set; }
    public V1SecretKeySelector? Credentials { get; set; }
}

sealed class Relabeling
{
    public List<string>? SourceLabels { get; set; }
    public string? TargetLabel { get; set; }
    public string? Replacement { get; set; }
}

sealed class PrometheusRule : IKubernetesObject<V1ObjectMeta>
{
    public string ApiVersion { get; set; } = "";
    public string Kind { get; set; } = "";
    public V1ObjectMeta Metadata { get; set; } = new();
    public PrometheusRuleSpec Spec { get; set; } = new();
}

sealed class PrometheusRuleSpec
{
    public List<RuleGroup> Groups { get; set; } = [];
}

sealed class RuleGroup
{
    public string Name { get; set; } = "";
    public List<AlertRule> Rules { get; set; } = [];
}

sealed class AlertRule
{
    public string Alert { get; set; } = "";
    public string Expr { get; set; } = "";
    public string? For { get; set; }
    public Dictionary<string, string> Labels { get; set; } = [];
    public Dictionary<string, string> Annotations { get; set; } = [];
}
