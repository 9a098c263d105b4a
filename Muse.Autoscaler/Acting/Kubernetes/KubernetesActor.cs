using k8s;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>
/// Patches the <c>scale</c> subresource of the workers' Deployment after every decision, which also undoes changes made by others.
/// </summary>
/// <remarks>Needs only the permission to <c>patch</c> <c>deployments/scale</c>.</remarks>
public sealed class KubernetesActor(IKubernetes cluster, IOptions<KubernetesOptions> options) : IScalingActor
{
    /// <summary>Sends the patch. Throws what the Kubernetes client throws.</summary>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation) => cluster.AppsV1.PatchNamespacedDeploymentScaleAsync(
        new V1Patch(new { spec = new { replicas = decision.Workers } }, V1Patch.PatchType.MergePatch),
        options.Value.Deployment, options.Value.Namespace, cancellationToken: cancellation);
}
