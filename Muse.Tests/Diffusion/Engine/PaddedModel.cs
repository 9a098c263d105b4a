using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>A simulated model that runs more rows than are needed, as on CUDA, and has memory for so many.</summary>
sealed class PaddedModel : IDiffusionModel
{
    readonly SimulatedModel inner = new("test", SimulationSpec.Free, TimeProvider.System);
    readonly RowPadding padding = new();

    /// <summary>The most rows that fit, padding included.</summary>
    public int Fitting { get; set; } = int.MaxValue;

    /// <summary>The rows that were needed and those that ran or did not fit, of each call.</summary>
    public List<(int Needed, int Run)> Calls { get; } = [];

    /// <summary>Called before each call with the rows that are needed.</summary>
    public Action<int>? BeforeRun { get; set; }

    public ModelTraits Traits => inner.Traits;
    public bool TimestepPerRow => true;
    public bool GuidanceEmbedded => false;
    public int DecodeBatch => inner.DecodeBatch;
    public Sampler CreateSampler(string? name) => inner.CreateSampler(name);
    public LatentShape GetLatentShape(int width, int height) => inner.GetLatentShape(width, height);
    public Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null) => inner.Encode(prompt, minimumShape);
    public RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents) => inner.Decode(latent, latents);
    public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values) => inner.Preview(latent, values);
    public void Dispose() => inner.Dispose();

    public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows) =>
        new Padded(this, inner.PrepareBatch(latent, conditioning, rows), rows, padding.RowsFor(latent, conditioning, rows));

    sealed class Padded(PaddedModel model, DenoiserBatch batch, int needed, int run) : DenoiserBatch
    {
        public override int RowsRun => run;

        public override Span<float> Input(int row) => batch.Input(row);

        public override void SetCondition(int row, in RowCondition condition) => batch.SetCondition(row, condition);

        public override ReadOnlySpan<float> Output(int row) => batch.Output(row);

        public override void Run()
        {
            model.BeforeRun?.Invoke(needed);
            model.Calls.Add((needed, run));
            if (run > model.Fitting)
            {
                model.padding.OnOutOfMemory();
                throw new DeviceMemoryException("no room") { RowsRun = run };
            }
            batch.Run();
            // As long for any number of rows, so that the padding stays.
            model.padding.OnRan(TimeSpan.FromMilliseconds(1));
        }
    }
}
