namespace Muse.Diffusion;

/// <summary>
/// Stable Diffusion 3 and 3.5: a transformer conditioned on two CLIP text encoders and T5 (Esser et al., https://arxiv.org/abs/2403.03206).
/// T5 may be absent: its states are zeros then.
/// </summary>
/// <remarks>Skip-layer guidance of 3.5 Medium needs an input that no export has; it is left out.</remarks>
sealed class StableDiffusion3(ModelFolder folder) : ModelFamily(folder)
{
    const string HiddenStates = "encoder_hidden_states", Pooled = "pooled_projections", TextEmbeds = "text_embeds";
    const int ClipTokens = 77, T5Tokens = 256, DefaultTextWidth = 4096;

    static readonly (string Encoder, string Tokenizer) T5 = ("text_encoder_3", "tokenizer_3");

    readonly bool hasT5 = folder.Has(T5.Encoder);

    public static ModelFamily? Recognize(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs)
    {
        var isOne = denoiserInputs.Count > 0
            ? denoiserInputs.Contains(Pooled) && denoiserInputs.Contains(HiddenStates) && !denoiserInputs.Contains("img_ids")
            : ModelFamilies.ClassOf(folder).Contains("StableDiffusion3", StringComparison.Ordinal);
        return isOne ? new StableDiffusion3(folder) : null;
    }

    public override IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders =>
        [("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2"), .. hasT5 ? [T5] : Array.Empty<(string, string)>()];

    public override IReadOnlyList<DenoiserInput> Inputs { get; } =
    [
        DenoiserInput.Latent("hidden_states"),
        DenoiserInput.Timestep("timestep"),
        DenoiserInput.Conditioning(HiddenStates),
        DenoiserInput.Conditioning(Pooled),
    ];

    public override LatentCodec Latents { get; } = TransformerFolder.Latents(folder, scale: 1.5305f, shift: 0.0609f);

    public override SchedulerConfig Scheduler { get; } = TransformerFolder.Scheduler(folder, FlowGrid.FlowMatch, maxShift: 1.16);

    public override int DefaultCells => 128;

    public override int DefaultSteps => 28;

    public override float DefaultGuidanceScale => 7;

    public override IEnumerable<string> Warnings => hasT5
        ? Scheduler.Warnings
        :
        [
            .. Scheduler.Warnings,
            $"there is no {T5.Encoder}; prompts are read by the CLIP text encoders alone, up to {ClipTokens} tokens.",
        ];

    public override PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens)
    {
        if (tokens <= ClipTokens)
            throw Folder.Refused(Denoiser, $"the denoiser takes {tokens} tokens; it must be more than the {ClipTokens} of CLIP.");
        ClipPart[] parts =
        [
            new("text_encoder", "tokenizer", ClipLayer.NextToLast, TextEmbeds),
            new("text_encoder_2", "tokenizer_2", ClipLayer.NextToLast, TextEmbeds),
        ];
        var t5Tokens = tokens - ClipTokens ?? T5Tokens;
        var textWidth = Folder.Json($"{Denoiser}/config.json").Whole("joint_attention_dim", 1, 65536) ?? DefaultTextWidth;
        var clip = new ClipConditioner(Folder, open, ClipTokens, parts, HiddenStates);
        try
        {
            var t5 = hasT5 ? new T5Conditioner(Folder, open, T5, t5Tokens, HiddenStates) : null;
            return new Conditioner(Folder, clip, t5, t5Tokens, textWidth);
        }
        catch
        {
            clip.Dispose();
            throw;
        }
    }

    /// <summary>
    /// CLIP's states side by side and zeros up to T5's width, T5's states behind them; the pooled embeddings side by side.
    /// </summary>
    sealed class Conditioner(ModelFolder folder, ClipConditioner clip, T5Conditioner? t5, int t5Tokens, int defaultWidth)
        : PromptConditioner
    {
        public override Conditioning Encode(string? prompt, ConditioningShape? minimumShape)
        {
            var (byClip, byT5) = (clip.Encode(prompt ?? "", null), t5?.Encode(prompt, null));
            var (clipStates, t5States) = (byClip.Tensors[0], byT5?.Tensors[0]);
            int clipTokens = clipStates.Shape[0], clipWidth = clipStates.Shape[1], width = t5States?.Shape[1] ?? defaultWidth;
            if (clipWidth > width)
            {
                throw folder.Refused("text_encoder_2",
                    $"the CLIP text encoders give {clipWidth} values a token; there is room for {width}.");
            }
            var states = new float[(clipTokens + t5Tokens) * width];
            for (var token = 0; token < clipTokens; token++)
                clipStates.Values.AsSpan(token * clipWidth, clipWidth).CopyTo(states.AsSpan(token * width));
            t5States?.Values.CopyTo(states.AsSpan(clipTokens * width));
            float[] pooled = [.. byClip.Tensors[1].Values, .. byClip.Tensors[2].Values];
            // What CLIP cuts off, T5 still reads.
            return new Conditioning(
                [new(HiddenStates, states, clipTokens + t5Tokens, width), new(Pooled, pooled, pooled.Length)],
                byT5 is null ? byClip.CutOff : byT5.CutOff);
        }

        public override void Dispose()
        {
            clip.Dispose();
            t5?.Dispose();
        }
    }
}
