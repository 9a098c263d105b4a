using Microsoft.Extensions.Logging.Abstractions;
using Muse.Diffusion;
using Muse.Tests.Diffusion.Engine;
using Muse.Tests.Diffusion.OnnxFolders;

namespace Muse.Tests.Diffusion.Models;

public class OnnxModelTests
{
    internal static IDiffusionModel Open(string folder) =>
        DiffusionModels.Open(folder, "cpu", new DeviceOptions { Threads = 1 }, TimeProvider.System, NullLogger.Instance);

    static async Task<EngineEvent.Completed> Paint(IDiffusionModel model, GenerationRequest request)
    {
        await using var engine = await EngineUnderTest.StartAsync(model);
        engine.Submit(request);
        return Assert.IsType<EngineEvent.Completed>(await engine.EndOf(request.Id));
    }

    [Fact]
    public async Task A_folder_of_the_usual_layout_paints_a_picture_that_depends_on_the_prompt()
    {
        string folder = new OnnxFolderBuilder().Write();
        var first = await Paint(Open(folder), Requests.Of("a", prompt: "a cat", seed: 1));
        var second = await Paint(Open(folder), Requests.Of("a", prompt: "a dog", seed: 1));
        Assert.Equal((128, 128), (first.Image.Width, first.Image.Height));
        Assert.NotEqual(first.Image.Pixels, second.Image.Pixels);
        Assert.True(first.Image.Pixels.Distinct().Count() > 100, "The picture is nearly plain.");
    }
}
