using Microsoft.Playwright;
using Muse.Tests.Api;
using Muse.Tests.Infrastructure;
using static Microsoft.Playwright.Assertions;

namespace Muse.Tests.Pages;

/// <summary>Both pages over the whole system: the API, a real Redis, and a real worker with the built-in model on the CPU.</summary>
[Collection(nameof(Browser))]
public sealed class RealWorkerTests(Browser browser)
{
    [SkippableFact]
    public async Task A_prompt_becomes_images_with_previews_and_the_batch_is_shown()
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
        // Counts every preview that appears, even if the next one replaces it at once.
        await visit.Page.EvaluateAsync("""
            window.previews = new Set();
            const onChanges = changes => {
              for (const node of changes.flatMap(change => [...change.addedNodes]))
                if (node.classList?.contains("preview")) window.previews.add(node.dataset.path);
            };
            new MutationObserver(onChanges).observe(document.getElementById("current-job"), { childList: true, subtree: true });
            """);
        await visit.SubmitAsync("a large red star above a small blue house at night");
        await Expect(watching.Page.Locator(".slot.taken")).ToHaveCountAsync(10);
        await visit.ExpectFinishedAsync();
        await Expect(watching.Page.Locator(".slot.taken")).ToHaveCountAsync(0);

        await Expect(visit.FinishedImages).ToHaveCountAsync(10);
        Assert.InRange(await visit.Page.EvaluateAsync<int>("window.previews.size"), 3, int.MaxValue);
        Assert.True(await ColoursAsync(visit.FinishedImages.First) > 20, "The picture is blank.");
        visit.AssertNoProblems();
        watching.AssertNoProblems();
    }

    static Task<int> ColoursAsync(ILocator image) => image.EvaluateAsync<int>("""
        image => {
          const canvas = document.createElement("canvas");
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
          const colours = new Set();
          for (let i = 0; i < bytes.length; i += 4) colours.add(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
          return colours.size;
        }
        """);
}
