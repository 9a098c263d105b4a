using System.Diagnostics;
using System.Numerics.Tensors;

namespace Muse.Diffusion;

/// <summary>One request's state in the engine: its latent, its sampler's history and its conditioning.</summary>
/// <remarks>
/// It is handed from thread to thread: encoder, step loop, decoder. Other threads may only call <see cref="Cancel"/>.
/// </remarks>
sealed class Slot(GenerationRequest request, ReadOnlyMemory<byte> checkpoint, long submittedAt) : BatchMember
{
    volatile bool cancelled;
    BatchKey key;
    float guidanceMaxTimestep;

    public GenerationRequest Request { get; } = request;
    public ReadOnlyMemory<byte> Checkpoint { get; set; } = checkpoint;
    public long SubmittedAt { get; } = submittedAt;

    public Sampler Sampler { get; private set; } = null!;
    public SamplerPlan Plan { get; private set; } = null!;
    public INoiseSource Noise { get; private set; } = null!;
    public LatentShape Shape { get; private set; }
    public Conditioning Positive { get; private set; } = null!;
    public Conditioning? Negative { get; private set; }
    public byte[] Identity { get; private set; } = null!;

    public float[] Latent { get; private set; } = null!;
    public float[] History { get; private set; } = null!;

    /// <summary>Puts the part of the latent that the mask keeps back; null where all of it is generated.</summary>
    public MaskedLatent? Kept { get; private set; }

    /// <summary>The mask and the masked image's latent, for a denoiser that takes them besides its latent; null for others.</summary>
    public float[]? ImageChannels { get; private set; }

    /// <summary>The index of the next evaluation of the denoiser, counted from the first one of the whole schedule.</summary>
    public int Evaluation { get; set; }

    /// <summary>Why it failed; null unless it did. It leaves at the next plan.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Its span from joining to leaving the batch.</summary>
    public Activity? Span { get; set; }

    /// <summary>Whether it occupies one of the engine's slots: until it has ended or waits for the decoder.</summary>
    public bool OccupiesSlot { get; set; } = true;

    /// <summary>Whether its prompts are encoded and its latent is initialised.</summary>
    public bool Ready => Latent is not null;

    /// <summary>Steps that run: fewer than the whole schedule has where the run starts from an image.</summary>
    public int Steps => Plan.StepsToRun;

    /// <summary>Steps done, as the caller counts them: Heun takes two evaluations for one.</summary>
    public int Step => StepBefore(Evaluation);

    /// <summary>Steps done when this evaluation is the next.</summary>
    public int StepBefore(int evaluation) => Plan is null ? 0
        : (evaluation - Plan.FirstEvaluation) * Plan.StepsToRun / (Plan.Timesteps.Length - Plan.FirstEvaluation);

    public override BatchKey Key => key;
    public override int Rows => Guided ? 2 : 1;

    /// <summary>
    /// Whether its next evaluation is guided, and so takes a row for the negative prompt too. With a negative prompt all evaluations are:
    /// the first steps decide the composition.
    /// </summary>
    public bool Guided =>
        Negative is not null && !Finished && (!string.IsNullOrEmpty(Request.NegativePrompt) || Timestep <= guidanceMaxTimestep);

    public override float Timestep => Plan.Timesteps[Evaluation];
    public override bool Finished => Evaluation == Plan.Timesteps.Length;
    public override bool Aborted => cancelled || Failure is not null;

    public void Cancel() => cancelled = true;

    /// <summary>Initialises the latent for the first step, or restores the checkpoint.</summary>
    /// <returns>Why its checkpoint was not used; null when it was, or when there was none.</returns>
    public string? Begin(IDiffusionModel model, Sampler sampler, SamplerPlan plan, INoiseSource noise, LatentShape shape,
        Conditioning positive, Conditioning? negative)
    {
        (Sampler, Plan, Noise, Shape, Positive, Negative) = (sampler, plan, noise, shape, positive, negative);
        guidanceMaxTimestep = model.Traits.GuidanceMaxTimestep;
        key = new BatchKey(Request.Width, Request.Height, positive.Shape);
        Identity = SlotState.IdentityOf(model.Traits, sampler.Name, Request);
        History = new float[sampler.HistoryBuffers * shape.Length];
        var latent = new float[shape.Length];
        string? refused = null;
        Evaluation = plan.FirstEvaluation;
        if (!Checkpoint.IsEmpty)
        {
            refused = SlotState.Restore(Checkpoint.Span, Identity, plan, latent, History, out var evaluation);
            Evaluation = evaluation;
            Checkpoint = default;
        }
        if (Request.Input is { } input)
            BeginFrom(input, model, latent);
        else if (!Started)
            TensorPrimitives.Multiply(StartNoise(model), plan.InitNoiseSigma, latent);
        Latent = latent;
        return refused;
    }

    // Whether any evaluation is done.
    bool Started => Evaluation > Plan.FirstEvaluation;

    void BeginFrom(ImageInput input, IDiffusionModel model, float[] latent)
    {
        var image = InputLatents.Encode(model, Shape, input, Noise, resumes: Started);
        var start = StartNoise(model);
        if (!Started && InputLatents.StartsFromImage(input))
            Sampler.AddNoise(Plan, Plan.FirstEvaluation, image.Clean, start, latent);
        else if (!Started)
            TensorPrimitives.Multiply(start, Plan.InitNoiseSigma, latent);
        ImageChannels = image.Channels;
        if (image is { Cells: { } cells, Clean: { } clean, Channels: null })
            Kept = new MaskedLatent(clean, start, InputLatents.RepeatForChannels(cells, Shape, model));
    }

    float[] StartNoise(IDiffusionModel model)
    {
        var start = new float[Shape.Length];
        Noise.Fill(-1, start);
        model.Pack(Shape, start);
        return start;
    }

    /// <summary>Its state, from which another engine can continue; empty when it has not started.</summary>
    public ReadOnlyMemory<byte> Save()
    {
        if (!Ready)
            return Checkpoint;
        return !Started ? default : SlotState.Save(Identity, Step, Evaluation, Latent, History);
    }
}
