using System.Collections.Concurrent;
using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Microsoft.Extensions.Options;

namespace Muse.Autoscaler;

/// <summary>
/// Writes the work that each worker holds on its pod before workers are stopped. Kubernetes stops the pods with the lowest cost first.
/// </summary>
/// <remarks>
/// <para>The annotation is <c>controller.kubernetes.io/pod-deletion-cost</c>. Kubernetes asks its users not to update it often, so it is
/// written only when there are more workers than wanted, and only where it has changed.</para>
/// <para>It is written through the pods' <c>status</c> subresource, which takes changes of annotations and none of the pod's
/// specification. So the permission is <c>patch</c> on <c>pods/status</c>. The leader writes it and not each worker, as it knows every
/// worker's batch from the heartbeats, and workers need no access to the cluster.</para>
/// </remarks>
public sealed class PodDeletionCosts(
    IScalingActor inner, IKubernetes cluster, IOptions<KubernetesOptions> options, ILogger<PodDeletionCosts> logger) : IScalingActor
{
    /// <summary>The annotation's name.</summary>
    public const string Annotation = "controller.kubernetes.io/pod-deletion-cost";
    const int CallsAtOnce = 8;

    readonly ConcurrentDictionary<string, int> written = new();

    /// <inheritdoc/>
    public Task ActAsync(ScalingDecision decision, CancellationToken cancellation) => inner.ActAsync(decision, cancellation);

    /// <summary>Writes the number of images in each worker's batch where it differs from what was written last.</summary>
    public async Task PrepareScaleDownAsync(IReadOnlyList<WorkerFacts> workers, CancellationToken cancellation)
    {
        var costs = workers.Where(worker => worker.Instance is { Length: > 0 })
            .GroupBy(worker => worker.Instance!).ToDictionary(pod => pod.Key, pod => pod.Max(worker => worker.Images));
        foreach (var gone in written.Keys.Except(costs.Keys))
            written.TryRemove(gone, out _);
        var changed = costs.Where(pod => !written.TryGetValue(pod.Key, out var cost) || cost != pod.Value);
        var failures = new ConcurrentBag<Exception>();
        await Parallel.ForEachAsync(changed, new ParallelOptions { MaxDegreeOfParallelism = CallsAtOnce, CancellationToken = cancellation },
            async (pod, token) =>
            {
                try
                {
                    await WriteAsync(pod.Key, pod.Value, token);
                    written[pod.Key] = pod.Value;
                }
                catch (HttpOperationException gone) when (gone.Response.StatusCode == HttpStatusCode.NotFound)
                {
                    // Its heartbeat is known for some seconds longer than the pod.
                }
                catch (Exception exception) when (!token.IsCancellationRequested)
                {
                    failures.Add(exception);
                }
            });
        if (failures.FirstOrDefault() is { } first)
            Log.DeletionCostsFailed(logger, failures.Count, first.Message);
    }

    Task WriteAsync(string pod, int images, CancellationToken cancellation)
    {
        var annotations = new Dictionary<string, string> { [Annotation] = $"{images}" };
        return cluster.CoreV1.PatchNamespacedPodStatusAsync(
            new V1Patch(new { metadata = new { annotations } }, V1Patch.PatchType.MergePatch),
            pod, options.Value.Namespace, cancellationToken: cancellation);
    }
}
