using Muse.Diffusion;

namespace Muse.Tests.Diffusion.Engine;

/// <summary>Which inputs a model takes.</summary>
public class ImageInputTests
{
    const int Size = 128;

    static readonly ModelTraits Traits = new SimulatedModel("test", SimulationSpec.Free, TimeProvider.System).Traits;

    static readonly Dictionary<string, (ModelTraits Model, ImageInput? Input, string? Property, string? Message)> Cases = new()
    {
        ["text to image"] = (Traits, null, null, null),
        ["an image"] = (Traits, Inputs.Of(1, Size, 0.6), null, null),
        ["an image and a mask"] = (Traits, Inputs.Of(1, Size, 1, Inputs.Square(Size, 0, 8)), null, null),
        ["the least strength that leaves a step"] = (Traits, Inputs.Of(1, Size, 0.125), null, null),
        ["no encoder"] = (Traits with { ImageInput = false }, Inputs.Of(1, Size, 0.6), "Input",
            "The model 'test' has no image encoder (vae_encoder); it generates from text alone."),
        ["another size"] = (Traits, Inputs.Of(1, 64, 0.6), "Input",
            "The input image is 64x64; it must be 128x128, as the requested image."),
        ["a mask of another size"] = (Traits, Inputs.Of(1, Size, 0.6, Inputs.Square(64, 0, 8)), "Mask",
            "The mask has 4096 values; it must have one for each of the 128x128 pixels."),
        ["a mask that keeps all"] = (Traits, Inputs.Of(1, Size, 0.6, new byte[Size * Size]), "Mask",
            "The mask keeps every pixel; at least one must be generated anew."),
        ["strength 0"] = (Traits, Inputs.Of(1, Size, 0), "Strength", "The strength must be above 0 and at most 1; 0 was requested."),
        ["strength 1.5"] = (Traits, Inputs.Of(1, Size, 1.5), "Strength", "The strength must be above 0 and at most 1; 1.5 was requested."),
        ["no number"] = (Traits, Inputs.Of(1, Size, double.NaN), "Strength",
            "The strength must be above 0 and at most 1; NaN was requested."),
        ["no step left"] = (Traits, Inputs.Of(1, Size, 0.1), "Strength",
            "Of 8 steps a strength of 0.1 leaves none; it must be at least 0.125."),
        ["a flow model takes a part of a step as one"] = (Traits with { RoundsStepsUp = true }, Inputs.Of(1, Size, 0.1), null, null),
        ["a model that fills in, without an image"] = (Traits with { RequiresMask = true }, null, "Input",
            "The model 'test' fills in the masked part of an image; it needs an image and a mask."),
        ["a model that fills in, without a mask"] = (Traits with { RequiresMask = true }, Inputs.Of(1, Size, 0.6), "Mask",
            "The model 'test' fills in the masked part of an image; it needs a mask."),
    };

    public static TheoryData<string> Names => new(Cases.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void What_a_model_can_t_do_with_an_input_is_said_in_a_sentence(string name)
    {
        var (model, input, property, message) = Cases[name];
        var problem = model.Check(Requests.Of("a", steps: 8, size: Size) with { Input = input });
        Assert.Equal((property, message), (problem?.Property, problem?.Message));
    }

    /// <summary>Rounding: 1/49 of 49 steps is a little less than one in binary.</summary>
    [Fact]
    public void The_least_strength_that_a_message_names_leaves_a_step()
    {
        for (var steps = 1; steps <= 150; steps++)
        {
            var least = Math.Ceiling(1000.0 / steps) / 1000;
            Assert.True(Traits.StepsOf(steps, least) >= 1, $"{steps} steps, {least}");
        }
    }

    [Fact]
    public void Inputs_are_equal_when_pixels_mask_and_strength_are()
    {
        var input = Inputs.Of(1, Size, 0.6, Inputs.Square(Size, 8, 64));
        Assert.Equal(input, Inputs.Of(1, Size, 0.6, Inputs.Square(Size, 8, 64)));
        Assert.Equal(input.ContentHash, (input with { Strength = 0.5 }).ContentHash);
        Assert.NotEqual(input, input with { Strength = 0.5 });
        var hash = input.ContentHash;
        Assert.NotEqual(hash, (input with { Mask = null }).ContentHash);
        Assert.NotEqual(hash, (input with { Mask = Inputs.Square(Size, 8, 65) }).ContentHash);
        Assert.NotEqual(hash, (input with { Image = Inputs.Image(2, Size) }).ContentHash);
        Assert.Equal(64, hash.Length);
    }
}
