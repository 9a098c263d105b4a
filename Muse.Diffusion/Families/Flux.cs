namespace Muse.Diffusion;

/// <summary>
/// FLUX.1 dev and schnell (Black Forest Labs): a transformer over packed patches, conditioned on T5's states and CLIP's pooled embedding.
/// Guidance was distilled into both; dev takes the guidance scale as an input.
/// </summary>
sealed class Flux(ModelFolder folder, bool isGuided) : ModelFamily(folder)
{
    const string HiddenStates = "encoder_hidden_states", Pooled = "pooled_projections", Guidance = "guidance", ImageIds = "img_ids";
    const string PoolerOutput = "pooler_output";
    // What their makers take.
    const int DevTokens = 512, SchnellTokens = 256;

    static readonly (string Encoder, string Tokenizer) Clip = ("text_encoder", "tokenizer"), T5 = ("text_encoder_2", "tokenizer_2");

    public static ModelFamily? Recognize(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs)
    {
        var isOne = denoiserInputs.Count > 0
            ? denoiserInputs.Contains(ImageIds) && denoiserInputs.Contains(Pooled)
            : ModelFamilies.ClassOf(folder).Contains("Flux", StringComparison.Ordinal);
        if (!isOne)
            return null;
        var isGuided = denoiserInputs.Count > 0
            ? denoiserInputs.Contains(Guidance)
            : folder.Json($"{ModelFamilies.DenoiserOf(folder)}/config.json").Flag("guidance_embeds") ?? false;
        return new Flux(folder, isGuided);
    }

    public override IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders => [Clip, T5];

    public override IReadOnlyList<DenoiserInput> Inputs { get; } =
    [
        DenoiserInput.Latent("hidden_states"),
        // The graph multiplies σ by 1000 itself.
        DenoiserInput.Timestep("timestep", scale: 1f / folder.Scheduler.TrainTimesteps),
        DenoiserInput.Conditioning(HiddenStates),
        DenoiserInput.Conditioning(Pooled),
        DenoiserInput.Request(Guidance, 1, WriteGuidance) with { IsOptional = true },
        DenoiserInput.ByShape("txt_ids", TextPositions),
        DenoiserInput.ByShape(ImageIds, ImagePositions),
    ];

    public override LatentCodec Latents { get; } =
        TransformerFolder.Latents(folder, scale: 0.3611f, shift: 0.1159f) with { PatchSize = TransformerFolder.PatchSize };

    public override SchedulerConfig Scheduler { get; } = TransformerFolder.Scheduler(folder, FlowGrid.Even, maxShift: 1.15);

    public override bool GuidanceEmbedded => true;

    public override int DefaultCells => 128;

    public override int DefaultSteps => isGuided ? 28 : 4;

    public override float DefaultGuidanceScale => isGuided ? 3.5f : 1;

    public override IEnumerable<string> Warnings =>
    [
        .. Scheduler.Warnings,
        isGuided
            ? "the guidance scale is an input of the denoiser; negative prompts have no effect."
            : "guidance is distilled into the denoiser; the guidance scale and negative prompts have no effect.",
    ];

    public override PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens)
    {
        var part = new ClipPart(Clip.Encoder, Clip.Tokenizer, ClipLayer.Last, PoolerOutput);
        // Only the pooled embedding is taken, which is the first chunk's.
        var clip = new ClipConditioner(Folder, open, tokens: 1, [part], HiddenStates);
        try
        {
            var t5 = new T5Conditioner(Folder, open, T5, tokens ?? (isGuided ? DevTokens : SchnellTokens), HiddenStates);
            return new Conditioner(clip, t5);
        }
        catch
        {
            clip.Dispose();
            throw;
        }
    }

    static void WriteGuidance(in RowCondition condition, Span<float> values) => values[0] = condition.GuidanceScale;

    static (float[] Values, long[] Shape) TextPositions(LatentShape latent, ConditioningShape conditioning)
    {
        var tokens = conditioning.Tensors[0][0];
        return (new float[tokens * 3], [tokens, 3]);
    }

    // For each token 0, the row and the column of its patch.
    static (float[] Values, long[] Shape) ImagePositions(LatentShape latent, ConditioningShape conditioning)
    {
        int high = latent.Height / TransformerFolder.PatchSize, wide = latent.Width / TransformerFolder.PatchSize;
        var values = new float[high * wide * 3];
        for (var token = 0; token < high * wide; token++)
            (values[3 * token + 1], values[3 * token + 2]) = (token / wide, token % wide);
        return (values, [high * wide, 3]);
    }

    /// <summary>T5's states and CLIP's pooled embedding.</summary>
    sealed class Conditioner(ClipConditioner clip, T5Conditioner t5) : PromptConditioner
    {
        public override Conditioning Encode(string? prompt, ConditioningShape? minimumShape)
        {
            var (byClip, byT5) = (clip.Encode(prompt ?? "", null), t5.Encode(prompt, null));
            var pooled = byClip.Tensors[1].Values;
            return new Conditioning([byT5.Tensors[0], new(Pooled, pooled, pooled.Length)], byT5.CutOff);
        }

        public override void Dispose()
        {
            clip.Dispose();
            t5.Dispose();
        }
    }
}
