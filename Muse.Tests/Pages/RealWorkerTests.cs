using Microsoft.Playwright;
using Muse.Tests.Api;
using Muse.Tests.Infrastructure;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>Both pages over the whole system: the API, a real Redis, and a real worker that paints with the built-in model on the CPU.</summary>
[Collection(nameof(Browser))]
public sealed class RealWorkerTests(Browser browser)
{
    [SkippableFact]
    public async Task A_prompt_becomes_a_picture_that_sharpens_on_the_way_and_the_batch_is_seen_filling()
    {
        await using var server = await ApiServer.StartAsync(null, withoutPainter: true);
        await using var worker = new ProgramProcess("Muse.GpuWorker", server.Redis, ("MUSE_GPU_TYPE", "cpu"));
        await using var watching = await browser.VisitAsync(server.Address);
        await watching.Page.GotoAsync("/ops");
        await Expect(watching.Page.Locator(".pill[data-state=ready]")).ToBeVisibleAsync(new() { Timeout = 60_000 });

        await using var visit = await browser.VisitAsync(server.Address);
        await visit.Page.GotoAsync("/");
        await Expect(visit.Page.GetByLabel("Other")).ToBeAttachedAsync();
        await visit.Page.GetByLabel("Pictures", new() { Exact = true }).FillAsync("10");
        await visit.Page.GetByLabel("Steps").FillAsync("50");
        // Every preview that appears counts, however quickly the next one replaces it.
        await visit.Page.EvaluateAsync("""
            window.previews = new Set();
            new MutationObserver(changes => changes.forEach(change => change.addedNodes.forEach(node => { if (node.classList?.contains("preview")) window.previews.add(node.dataset.path); })))
              .observe(document.getElementById("stage"), { childList: true, subtree: true });
            """);
        await visit.PaintAsync("a large red star above a small blue house at night");
        await Expect(watching.Page.Locator(".well.taken")).ToHaveCountAsync(10);
        await visit.ExpectPaintedAsync();
        await Expect(watching.Page.Locator(".well.taken")).ToHaveCountAsync(0);

        await Expect(visit.Painted).ToHaveCountAsync(10);
        Assert.InRange(await visit.Page.EvaluateAsync<int>("window.previews.size"), 3, int.MaxValue);
        Assert.True(await ColoursAsync(visit.Painted.First) > 20, "The picture is blank.");
        visit.HadNoTrouble();
        watching.HadNoTrouble();
    }

    static Task<int> ColoursAsync(ILocator image) => image.EvaluateAsync<int>("""
        image => {
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const pen = canvas.getContext("2d");
          pen.drawImage(image, 0, 0);
          const bytes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
          const colours = new Set();
          for (let i = 0; i < bytes.length; i += 4) colours.add(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
          return colours.size;
        }
        """);
}
