using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>Patches the <c>scale</c> subresource of the workers' Deployment, at every look: whatever else changed the number, it comes back to the one decided.</summary>
/// <remarks>Needs the right to <c>patch</c> <c>deployments/scale</c>, and no other.</remarks>
public sealed class KubernetesActor(IKubernetes cluster, IOptions<KubernetesOptions> options) : IScalingActor
{
    /// <summary>Patches. Throws what the API server or the connection says.</summary>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation) => cluster.AppsV1.PatchNamespacedDeploymentScaleAsync(
        new V1Patch(new { spec = new { replicas = decision.Workers } }, V1Patch.PatchType.MergePatch),
        options.Value.Deployment, options.Value.Namespace, cancellationToken: cancellation);
}
