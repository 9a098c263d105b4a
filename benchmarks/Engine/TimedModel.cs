using System.Diagnostics;
using Muse.Diffusion;

namespace Muse.Benchmarks;

/// <summary>A model whose denoiser's calls are measured.</summary>
/// <param name="model">The model.</param>
/// <param name="decodeBatch">Latents that it decodes in one call at most; null for the model's own.</param>
sealed class TimedModel(IDiffusionModel model, int? decodeBatch = null) : IDiffusionModel
{
    readonly List<TimedCall> calls = [];
    volatile int decodesBegun, decodesEnded;

    /// <summary>The denoiser's calls. Not to be read while the engine runs steps.</summary>
    public IReadOnlyList<TimedCall> Calls => calls;
    public ModelTraits Traits => model.Traits;
    public bool TimestepPerRow => model.TimestepPerRow;
    public bool GuidanceEmbedded => model.GuidanceEmbedded;
    public int DecodeBatch => decodeBatch ?? model.DecodeBatch;
    public bool PreparesByShape => model.PreparesByShape;
    public int StepsPerTurn => model.StepsPerTurn;
    public void Clear() => calls.Clear();
    public Sampler CreateSampler(string? name) => model.CreateSampler(name);
    public LatentShape GetLatentShape(int width, int height) => model.GetLatentShape(width, height);
    public Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null) => model.Encode(prompt, minimumShape);
    public float[] EncodeImage(LatentShape latent, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise) =>
        model.EncodeImage(latent, image, mask, noise);
    public bool IsFlagged(RgbImage image) => model.IsFlagged(image);
    public void Pack(LatentShape latent, Span<float> values) => model.Pack(latent, values);
    public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values) => model.Preview(latent, values);
    public void Dispose() => model.Dispose();

    public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows) =>
        new Rows(this, model.PrepareBatch(latent, conditioning, rows), rows);

    public RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents)
    {
        decodesBegun++;
        var images = model.Decode(latent, latents);
        decodesEnded++;
        return images;
    }

    sealed class Rows(TimedModel timed, DenoiserBatch batch, int rows) : DenoiserBatch
    {
        public override int RowsRun => batch.RowsRun;
        public override Span<float> Input(int row) => batch.Input(row);
        public override void SetCondition(int row, in RowCondition condition) => batch.SetCondition(row, condition);
        public override ReadOnlySpan<float> Output(int row) => batch.Output(row);

        public override void Run()
        {
            var started = Stopwatch.GetTimestamp();
            var ended = timed.decodesEnded;
            batch.Run();
            timed.calls.Add(new(rows, Stopwatch.GetElapsedTime(started), timed.decodesBegun > ended));
        }
    }
}

/// <summary>A call of the denoiser.</summary>
/// <param name="Rows">Its rows.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Decoding">Whether the decoder ran during it.</param>
readonly record struct TimedCall(int Rows, TimeSpan Duration, bool Decoding);
