using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>A simulated model, unless another is given, whose steps can be watched and made to fail.</summary>
sealed class FaultyModel(IDiffusionModel? given = null) : IDiffusionModel
{
    readonly IDiffusionModel inner = given ?? new SimulatedModel("test", SimulationSpec.Free, TimeProvider.System);

    /// <summary>Looks at a step before it runs: the number of rows and their conditionings; may throw.</summary>
    public Action<int, IReadOnlyList<Conditioning>>? BeforeStep { get; set; }
    /// <summary>Looks at a step before it runs: the latent's shape and the number of rows; may throw.</summary>
    public Action<LatentShape, int>? BeforeRun { get; set; }
    /// <summary>May change what a step gave: the rows' outputs are their inputs' memory.</summary>
    public Action<DenoiserBatch, IReadOnlyList<Conditioning>>? AfterRun { get; set; }
    public bool IsDisposed { get; private set; }
    public Action<string?>? BeforeEncode { get; set; }
    public Action<int>? BeforeDecode { get; set; }
    public Conditioning ConditioningOf(string prompt) => inner.Encode(prompt);

    public ModelTraits Traits => inner.Traits with { GuidanceMaxTimestep = GuidanceMaxTimestep ?? inner.Traits.GuidanceMaxTimestep };
    public float? GuidanceMaxTimestep { get; init; }
    public bool TimestepPerRow { get; init; } = true;
    public bool PreparesByShape { get; init; }
    public bool GuidanceEmbedded { get; init; } = given?.GuidanceEmbedded ?? false;
    public int StepsPerTurn => inner.StepsPerTurn;
    public int DecodeBatch => MostDecoded ?? inner.DecodeBatch;
    public int? MostDecoded { get; init; }
    public Sampler CreateSampler(string? name) => inner.CreateSampler(name);
    public LatentShape GetLatentShape(int width, int height) => inner.GetLatentShape(width, height);

    public Conditioning Encode(string? prompt, ConditioningShape? minimumShape = null)
    {
        BeforeEncode?.Invoke(prompt);
        return inner.Encode(prompt, minimumShape);
    }

    public float[] EncodeImage(LatentShape latent, RgbImage image, ReadOnlySpan<byte> mask, INoiseSource noise) =>
        inner.EncodeImage(latent, image, mask, noise);

    public bool IsFlagged(RgbImage image) => inner.IsFlagged(image);

    public void Pack(LatentShape latent, Span<float> values) => inner.Pack(latent, values);

    public DenoiserBatch PrepareBatch(LatentShape latent, ConditioningShape conditioning, int rows) =>
        new Watched(this, inner.PrepareBatch(latent, conditioning, rows), latent, rows);

    public RgbImage[] Decode(LatentShape latent, IReadOnlyList<float[]> latents)
    {
        BeforeDecode?.Invoke(latents.Count);
        return inner.Decode(latent, latents);
    }

    public RgbImage Preview(LatentShape latent, ReadOnlySpan<float> values) => inner.Preview(latent, values);

    public void Dispose()
    {
        IsDisposed = true;
        inner.Dispose();
    }

    sealed class Watched(FaultyModel model, DenoiserBatch batch, LatentShape latent, int rows) : DenoiserBatch
    {
        readonly Conditioning[] conditionings = new Conditioning[rows];

        public override int RowsRun => batch.RowsRun;

        public override Span<float> Input(int row) => batch.Input(row);

        public override void SetCondition(int row, in RowCondition condition)
        {
            conditionings[row] = condition.Conditioning;
            batch.SetCondition(row, condition);
        }

        public override void Run()
        {
            model.BeforeRun?.Invoke(latent, rows);
            model.BeforeStep?.Invoke(rows, conditionings);
            batch.Run();
            model.AfterRun?.Invoke(batch, conditionings);
        }

        public override ReadOnlySpan<float> Output(int row) => batch.Output(row);
    }
}
