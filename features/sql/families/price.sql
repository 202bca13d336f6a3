-- one row per customer as of :as_of
with priced as (
    select
        totals.entity_id,
        totals.last_day,
        totals.line_count,
        totals.amount,
        totals.unit_count,
        prices.price_percentile
    from item_totals as totals
    inner join item_prices as prices on totals.item_key = key_of(prices.item_id)
)

select
    entity_id,
    cast(sum(amount) as double) / nullif(cast(sum(unit_count) as double), 0) as amount_per_unit_lifetime,
    cast(sum(price_percentile * line_count) as double) / sum(line_count) as average_price_percentile_lifetime,
    cast(sum(price_percentile * line_count) filter (where last_day >= :w180) as double)
        / nullif(sum(line_count) filter (where last_day >= :w180), 0) as average_price_percentile_180d,
    max(price_percentile) as highest_price_percentile_lifetime,
    coalesce(sum(line_count) filter (where price_percentile > 0.8), 0) / cast(sum(line_count) as double)
        as premium_line_share_lifetime,
    coalesce(sum(line_count) filter (where price_percentile <= 0.2), 0) / cast(sum(line_count) as double)
        as budget_line_share_lifetime
from priced
group by entity_id
