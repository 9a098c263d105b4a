using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>
/// Patches the <c>scale</c> subresource of the workers' Deployment after every decision, which also undoes changes made by others.
/// </summary>
/// <remarks>
/// Needs only the permissions to <c>get</c> and <c>patch</c> <c>deployments/scale</c>. The lease is checked between the two calls, and the
/// patch names the version that was read. So a leader that is paused between its check and its patch can't undo what the next leader did:
/// Kubernetes refuses the patch as a conflict.
/// </remarks>
public sealed class KubernetesActor(IKubernetes cluster, Leadership leadership, IOptions<KubernetesOptions> options) : IScalingActor
{
    // The version also changes with the Deployment's status, so one conflict says little.
    const int Tries = 3;

    /// <summary>Sends the patch, unless the lease has ended. Throws what the Kubernetes client throws.</summary>
    public async Task ActAsync(ScalingDecision decision, CancellationToken cancellation)
    {
        var (name, space) = (options.Value.Deployment, options.Value.Namespace);
        for (var attempt = 1; ; attempt++)
        {
            var scale = await cluster.AppsV1.ReadNamespacedDeploymentScaleAsync(name, space, cancellationToken: cancellation);
            if (scale.Spec?.Replicas == decision.Workers || !leadership.Holds(decision.Epoch))
                return;
            var patch = new V1Patch(
                new { metadata = new { resourceVersion = scale.Metadata?.ResourceVersion }, spec = new { replicas = decision.Workers } },
                V1Patch.PatchType.MergePatch);
            try
            {
                await cluster.AppsV1.PatchNamespacedDeploymentScaleAsync(patch, name, space, cancellationToken: cancellation);
                return;
            }
            catch (HttpOperationException exception)
                when (exception.Response.StatusCode == HttpStatusCode.Conflict && attempt < Tries)
            {
                // It was changed since it was read.
            }
        }
    }
}
