namespace Muse.Diffusion;

/// <summary>
/// Latent consistency models (Luo et al., https://arxiv.org/abs/2310.04378): another family's model, distilled to few steps.
/// </summary>
/// <param name="original">The family of the model that was distilled.</param>
/// <param name="embedded">Whether guidance was distilled too: the denoiser takes the guidance scale.</param>
sealed class LatentConsistency(ModelFamily original, bool embedded) : ModelFamily(original.Folder)
{
    const string GuidanceInput = "timestep_cond";

    public static ModelFamily? Recognize(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs)
    {
        var lengthKnown = folder.Json("unet/config.json").Has("time_cond_proj_dim");
        var embedded = denoiserInputs.Contains(GuidanceInput) || (denoiserInputs.Count == 0 && lengthKnown);
        if (!embedded && Samplers.OwnName(folder.Scheduler) != "lcm")
            return null;
        var original = StableDiffusionXl.Recognize(folder, denoiserInputs) ?? StableDiffusion.Recognize(folder, denoiserInputs);
        return new LatentConsistency(original!, embedded);
    }

    public override IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders => original.TextEncoders;

    public override IReadOnlyList<DenoiserInput> Inputs { get; } = embedded
        ?
        [
            .. original.Inputs,
            DenoiserInput.Request(GuidanceInput, GuidanceLength(original.Folder), WriteGuidance) with
            {
                LengthHint = "; unet/config.json is to say it as 'time_cond_proj_dim'",
            },
        ]
        : original.Inputs;

    public override LatentCodec Latents => original.Latents;

    public override SchedulerConfig Scheduler => original.Scheduler;

    public override bool GuidanceEmbedded => embedded;

    public override int DefaultSteps => 4;

    // What diffusers' pipeline takes; without distilled guidance a second row would cost more than it is worth.
    public override float DefaultGuidanceScale => embedded ? 8.5f : 1;

    public override IEnumerable<string> Warnings => embedded
        ? [.. original.Warnings, "the guidance scale is an input of the denoiser; negative prompts have no effect."]
        : original.Warnings;

    public override PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens) => original.OpenConditioner(open, tokens);

    // 0 leaves it to the graph.
    static int GuidanceLength(ModelFolder folder) => folder.Json("unet/config.json").Whole("time_cond_proj_dim", 4, 65536) ?? 0;

    // Sinusoids of the guidance scale (§4.2; frequencies as in Vaswani et al.).
    static void WriteGuidance(in RowCondition condition, Span<float> values)
    {
        var half = values.Length / 2;
        for (var i = 0; i < half; i++)
        {
            var angle = 1000.0 * (condition.GuidanceScale - 1) * Math.Exp(-Math.Log(10000) * i / (half - 1));
            values[i] = (float)Math.Sin(angle);
            values[half + i] = (float)Math.Cos(angle);
        }
    }
}
