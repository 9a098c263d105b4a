namespace Muse.Diffusion;

/// <summary>The noise levels of a flow model's run, before they are shifted. The pipeline decides, not the scheduler's file.</summary>
public enum FlowGrid
{
    /// <summary>From the largest to the least level, which are shifted already (<c>FlowMatchEulerDiscreteScheduler</c>).</summary>
    FlowMatch,
    /// <summary>Even steps down from 1 − 1/T (<c>use_flow_sigmas</c> of UniPC and DPM++).</summary>
    Multistep,
    /// <summary>Even steps from 1 to 1/steps, which the pipeline passes to the scheduler.</summary>
    Even,
}
