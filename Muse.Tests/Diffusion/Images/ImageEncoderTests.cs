using System.Text;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;
using SkiaSharp;

namespace Muse.Tests.Diffusion.Images;

public class ImageEncoderTests
{
    static readonly RgbImage Image = new(8, 4, [.. Enumerable.Range(0, 3 * 8 * 4).Select(i => (byte)(i * 37))]);

    [Fact]
    public void A_PNG_gives_back_every_pixel()
    {
        using var decoded = SKBitmap.Decode(ImageEncoder.Encode(Image, ImageFormat.Png, metadata: new("a cat")));
        Assert.Equal((8, 4), (decoded.Width, decoded.Height));
        for (var i = 0; i < 32; i++)
        {
            var colour = decoded.GetPixel(i % 8, i / 8);
            Assert.Equal((Image.Pixels[3 * i], Image.Pixels[3 * i + 1], Image.Pixels[3 * i + 2]),
                (colour.Red, colour.Green, colour.Blue));
        }
    }

    [Theory]
    [InlineData(ImageFormat.Jpeg, SKEncodedImageFormat.Jpeg)]
    [InlineData(ImageFormat.WebP, SKEncodedImageFormat.Webp)]
    public void Lossy_formats_are_what_they_say(ImageFormat format, SKEncodedImageFormat expected)
    {
        using var codec = SKCodec.Create(new MemoryStream(ImageEncoder.Encode(Image, format, quality: 80)));
        Assert.Equal((expected, 8, 4), (codec.EncodedFormat, codec.Info.Width, codec.Info.Height));
    }

    [Fact]
    public void A_PNG_carries_the_parameters_as_the_popular_user_interfaces_write_them()
    {
        using var model = new SimulatedModel("tiny", SimulationSpec.Free, TimeProvider.System);
        var request =
            Requests.Of("a", prompt: "a red cat", steps: 12, guidance: 7.5f, size: 128, sampler: "dpmpp_2m_karras",
            seed: 42) with
            { NegativePrompt = "rain" };
        var parameters = ImageParameters.Describe(request, model.Traits);
        Assert.Equal(
            "a red cat\nNegative prompt: rain\nSteps: 12, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 42, Size: 128x128, Model: tiny",
            parameters);
        Assert.Contains("tEXtparameters\0"
            + parameters, Encoding.Latin1.GetString(ImageEncoder.Encode(Image, ImageFormat.Png, metadata: new(parameters))));
    }

    [Fact]
    public void Parameters_beyond_Latin_letters_are_written_as_UTF8()
    {
        var file = Encoding.UTF8.GetString(ImageEncoder.Encode(Image, ImageFormat.Png, metadata: new("猫")));
        Assert.Contains("iTXtparameters\0\0\0\0\0猫", file);
    }

    [Fact]
    public void A_seed_of_64_bits_is_written_as_the_client_sent_it()
    {
        using var model = new SimulatedModel("simulated", SimulationSpec.Free, TimeProvider.System);
        var request = Requests.Of("a", seed: unchecked((long)ulong.MaxValue));
        Assert.Contains("Seed: 18446744073709551615,", ImageParameters.Describe(request, model.Traits));
    }

    [Fact]
    public void The_parameters_of_an_edit_say_its_strength_and_whether_there_was_a_mask()
    {
        using var model = new SimulatedModel("tiny", SimulationSpec.Free, TimeProvider.System);
        var input = Inputs.Of(seed: 1, size: 128, strength: 0.6);
        var request = Requests.Of("a", size: 128) with { Input = input };
        Assert.EndsWith(", Model: tiny, Denoising strength: 0.6", ImageParameters.Describe(request, model.Traits));
        request = request with { Input = input with { Mask = Inputs.Square(128, 32, 64) } };
        Assert.EndsWith(", Model: tiny, Denoising strength: 0.6, Mask: yes", ImageParameters.Describe(request, model.Traits));
    }
}
