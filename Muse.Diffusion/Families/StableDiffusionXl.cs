namespace Muse.Diffusion;

/// <summary>
/// SDXL and SDXL-Turbo: a UNet conditioned on two CLIP text encoders, a pooled embedding and the image's size (Podell et al.,
/// https://arxiv.org/abs/2307.01952).
/// </summary>
sealed class StableDiffusionXl(ModelFolder folder) : ModelFamily(folder)
{
    const string Second = "text_encoder_2", HiddenStates = "encoder_hidden_states", TextEmbeds = "text_embeds", TimeIds = "time_ids";

    public static ModelFamily? Recognize(ModelFolder folder, IReadOnlyCollection<string> denoiserInputs)
    {
        var hasSecond = folder.Has(Second);
        if (!hasSecond && folder.Has("tokenizer_2"))
            throw folder.Refused(Second, "there is no such folder, though there is a tokenizer_2.");
        if (denoiserInputs.Count > 0)
            CheckTogether(folder, denoiserInputs, hasSecond);
        return hasSecond ? new StableDiffusionXl(folder) : null;
    }

    public override IReadOnlyList<(string Encoder, string Tokenizer)> TextEncoders =>
        [("text_encoder", "tokenizer"), (Second, "tokenizer_2")];

    public override IReadOnlyList<DenoiserInput> Inputs =>
    [
        DenoiserInput.Latent("sample", UNetLatents.ImageChannels(Folder, Latents)),
        DenoiserInput.Timestep("timestep"),
        DenoiserInput.Conditioning(HiddenStates),
        DenoiserInput.Conditioning(TextEmbeds),
        DenoiserInput.Request(TimeIds, 6, WriteSizes) with { LengthHint = " (SDXL's refiner has 5, and can't generate from text alone)" },
    ];

    public override LatentCodec Latents { get; } = UNetLatents.Of(folder, defaultScale: 0.13025f);

    public override PromptConditioner OpenConditioner(Func<string, Graph> open, int? tokens)
    {
        ClipPart[] encoders =
        [
            new("text_encoder", "tokenizer", ClipLayer.NextToLast),
            new(Second, "tokenizer_2", ClipLayer.NextToLast, Pooled: TextEmbeds),
        ];
        return new ClipConditioner(Folder, open, tokens, encoders, HiddenStates)
        {
            AbsentIsZeros = Folder.Index.Flag("force_zeros_for_empty_prompt") ?? true,
        };
    }

    // Original size, crop, and target size (Podell et al., §2.2).
    static void WriteSizes(in RowCondition condition, Span<float> values) =>
        ((ReadOnlySpan<float>)[condition.Height, condition.Width, 0, 0, condition.Height, condition.Width]).CopyTo(values);

    static void CheckTogether(ModelFolder folder, IReadOnlyCollection<string> inputs, bool hasSecond)
    {
        var (pooled, sizes) = (inputs.Contains(TextEmbeds), inputs.Contains(TimeIds));
        var problem = (pooled, sizes, hasSecond) switch
        {
            (true, false, _) => $"takes '{TextEmbeds}' but not '{TimeIds}'; SDXL's denoiser takes both.",
            (false, true, _) => $"takes '{TimeIds}' but not '{TextEmbeds}'; SDXL's denoiser takes both.",
            (true, _, false) => $"takes '{TextEmbeds}', which a second text encoder gives; the folder has no text_encoder_2.",
            (false, _, true) => $"does not take '{TextEmbeds}', but the folder has a text_encoder_2 to give it.",
            _ => null,
        };
        if (problem is not null)
            throw folder.Refused(folder.Graph("unet", preferHalf: false), problem);
    }
}
