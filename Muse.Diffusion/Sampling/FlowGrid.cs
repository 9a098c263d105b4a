namespace Muse.Diffusion;

/// <summary>The noise levels of a flow model's run.</summary>
public enum FlowGrid
{
    /// <summary>From the largest to the least shifted level, shifted once more (<c>FlowMatchEulerDiscreteScheduler</c>).</summary>
    FlowMatch,
    /// <summary>Even steps down from 1 − 1/T, shifted once (<c>use_flow_sigmas</c> of UniPC and DPM++).</summary>
    Multistep,
}
