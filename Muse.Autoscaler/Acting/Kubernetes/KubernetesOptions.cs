using System.ComponentModel.DataAnnotations;

namespace Muse.Autoscaler;

/// <summary>
/// Where the workers live in Kubernetes, section <c>Autoscaler:Kubernetes</c>; for the actor <c>kubernetes</c> and for
/// <see cref="PodDeletionCost"/>.
/// </summary>
public sealed class KubernetesOptions
{
    /// <summary>Their namespace. Default <c>muse</c>.</summary>
    [Required, RegularExpression("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
    public string Namespace { get; set; } = "muse";

    /// <summary>Their Deployment. Default <c>muse-worker</c>.</summary>
    [Required, RegularExpression("^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$")]
    public string Deployment { get; set; } = "muse-worker";

    /// <summary>
    /// Whether the work that each worker holds is written on its pod before workers are stopped, so that the emptiest go first. The
    /// worker's <c>MUSE_INSTANCE</c> must be its pod's name. Default false.
    /// </summary>
    public bool PodDeletionCost { get; set; }
}
