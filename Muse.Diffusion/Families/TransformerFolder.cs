namespace Muse.Diffusion;

/// <summary>What folders of models that denoise with a transformer have in common.</summary>
static class TransformerFolder
{
    /// <summary>Cells a side for each token of the denoiser.</summary>
    public const int PatchSize = 2;

    /// <summary>The latents: 16 channels in patches, unless the decoder's configuration says otherwise.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="scale">The latent's scale where the configuration does not say.</param>
    /// <param name="shift">The latent's shift where the configuration does not say.</param>
    public static LatentCodec Latents(ModelFolder folder, float scale, float shift)
    {
        var latents = LatentCodec.Of(folder, scale, shift, defaultChannels: 16);
        return latents with { SizeMultiple = latents.SizeMultiple * PatchSize };
    }

    /// <summary>The noise schedule as a pipeline uses it.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="grid">The noise levels that the pipeline takes.</param>
    /// <param name="maxShift">The shift of a large image where the scheduler's file does not say.</param>
    /// <exception cref="ModelFolderException">The scheduler is not one of flow matching.</exception>
    public static SchedulerConfig Scheduler(ModelFolder folder, FlowGrid grid, double maxShift)
    {
        var config = folder.Scheduler;
        if (!config.IsFlow)
        {
            throw folder.Refused("scheduler/scheduler_config.json",
                $"the model predicts a flow, but {config.ClassName} samples noise; it must be FlowMatchEulerDiscreteScheduler.");
        }
        return config with
        {
            FlowGrid = config.FlowGrid == FlowGrid.FlowMatch ? grid : config.FlowGrid,
            DynamicShift = config.DynamicShift is { } shift ? shift with { MaxShift = shift.MaxShift ?? maxShift } : null,
        };
    }
}
