namespace Muse.Diffusion;

/// <summary>Stable Diffusion 1 and 2 and what was made from them: a UNet conditioned on one CLIP text encoder.</summary>
class StableDiffusion(ModelFolder folder) : ModelFamily(folder)
{
    protected const string Sample = "sample", Timestep = "timestep", HiddenStates = "encoder_hidden_states";

    readonly SchedulerConfig scheduler = AsPipeline(folder.Scheduler);

    public static ModelFamily? Recognize(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs) => new StableDiffusion(folder);

    public override IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders => [("text_encoder", "tokenizer")];

    public override IReadOnlyList<DenoiserInput> Inputs =>
    [
        DenoiserInput.Latent(Sample, UNetLatents.ImageChannels(Folder, Latents)),
        DenoiserInput.Timestep(Timestep),
        DenoiserInput.Conditioning(HiddenStates),
    ];

    public override LatentCodec Latents { get; } = UNetLatents.Of(folder, defaultScale: 0.18215f);

    public override SchedulerConfig Scheduler => scheduler;

    public override PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens) =>
        new ClipConditioner(Folder, open, tokens, [new ClipPart("text_encoder", "tokenizer", ClipLayer.Last)], HiddenStates);

    /// <summary>StableDiffusionPipeline sets <c>clip_sample</c> to false and <c>steps_offset</c> to 1 whatever the file says.</summary>
    static SchedulerConfig AsPipeline(SchedulerConfig config)
    {
        // Flow and consistency models have samplers that use neither.
        if (Samplers.AvailableFor(config).Count == 1)
            return config;
        var warnings = config.Warnings.ToList();
        if (config.ClipSampleRange is not null)
        {
            warnings.Add(
                "scheduler_config.json: 'clip_sample' is true or absent; it is taken as false, as the Stable Diffusion pipeline does.");
        }

        if (config.StepsOffset != 1 && config.TimestepSpacing is null or TimestepSpacing.Leading)
        {
            warnings.Add(
                $"scheduler_config.json: 'steps_offset' is {config.StepsOffset} or absent; it is taken as 1, as the Stable Diffusion "
                + $"pipeline does.");
        }

        return config with { ClipSampleRange = null, StepsOffset = 1, Warnings = warnings };
    }
}
