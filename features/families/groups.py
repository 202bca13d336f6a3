# ruff: noqa: E501 (a line of the catalogue is one line)
"""Groups that customers are in: segments with closed lists of values."""

from __future__ import annotations

from features.families.family import EVENTS, ORDERS, Family

GROUPS: tuple[Family, ...] = (
    Family(
        "segments",
        ORDERS,
        """
buyer_type | . | * | never_bought | orders so far: none, one, more | 累计订单数：无、一单、多单
never_bought | never bought | 未购
one_time | bought once | 一次客
repeat | repeat buyer | 复购客
price_level | . | * | ? | average place by price in their category of the items bought so far, in thirds | 累计所购商品在品类内的平均价位，三等分
budget | lower third | 低价位
middle | middle third | 中价位
premium | upper third | 高价位
discount_affinity | . | * | ? | share of orders with a discount so far: to 20 %, to 60 %, above; unknown below two orders | 累计有折扣订单的比例：不超过20%、不超过60%、以上；不足两单则未知
full_price | full price | 正价
mixed | with and without discount | 兼买
discount | mostly at a discount | 折扣
""",
    ),
    Family(
        "lifecycle",
        frozenset(),
        any_of=ORDERS | EVENTS,
        lines="""
lifecycle_group | . | * | ? | lifecycle group in the month that holds the day before the cutoff | 截止日前一天所在自然月的生命周期分组
new | new | 新
last_new | new last period | 上期新
active | active | 活跃
awakened | awakened | 唤醒
returned | returned | 回流
dormant | dormant | 休眠
lapsed | lapsed | 流失
lifecycle_group_week | . | * | ? | lifecycle group in the ISO week that holds the day before the cutoff | 截止日前一天所在自然周的生命周期分组
new | new | 新
last_new | new last period | 上期新
active | active | 活跃
awakened | awakened | 唤醒
returned | returned | 回流
dormant | dormant | 休眠
lapsed | lapsed | 流失
lifecycle_group_complete | . | * | ? | lifecycle group in the last month that was over at the cutoff | 截止日前最后一个完整自然月的生命周期分组
new | new | 新
last_new | new last period | 上期新
active | active | 活跃
awakened | awakened | 唤醒
returned | returned | 回流
dormant | dormant | 休眠
lapsed | lapsed | 流失
concentration_group | . | * | potential | never acted; acted, but not in the last 30 days; acted in them; and of these the head: the fewest customers who hold 80 % of the value of the last 365 days | 从未活跃；活跃过但近30天未活跃；近30天活跃；其中头部（合计占近365天价值80%的最少客户）
potential | never acted | 潜在
ordinary | not active | 普通
active | active | 活跃
core | active and in the head | 核心
""",
        modelled=False,
    ),
    Family(
        "rfm",
        frozenset(),
        any_of=ORDERS | EVENTS,
        lines="""
rfm_type | . | * | ? | recency, frequency and money of the last 365 days, each high or low (cut nearest to the median; without orders: acts, and engagement for money) | 近365天的最近一次、频次、金额各分高低（取最接近中位数的分界；无订单时按活跃与互动量）
important_value | important, recent and frequent | 重要价值
important_growth | important, recent, seldom | 重要发展
important_keep | important, frequent, not recent | 重要保持
important_winback | important, neither recent nor frequent | 重要挽留
ordinary_value | ordinary, recent and frequent | 一般价值
ordinary_growth | ordinary, recent, seldom | 一般发展
ordinary_keep | ordinary, frequent, not recent | 一般保持
ordinary_winback | ordinary, neither recent nor frequent | 一般挽留
rfm_recency_score | . | score | ? | recency from 1 to 5: k where at least (k − 1) fifths of the customers of the last 365 days are lower | 最近一次得分（1–5）：近365天的客户中至少有（k−1）/5低于该客户则为k
rfm_frequency_score | . | score | ? | frequency from 1 to 5, in the same way | 频次得分（1–5），算法相同
rfm_amount_score | . | score | ? | money from 1 to 5, in the same way (without orders: engagement) | 金额得分（1–5），算法相同（无订单时为互动量）
rfm_grid | . | * | ? | cell of the grid of recency score and frequency score | 最近一次得分与频次得分构成的5×5网格
champion | recent 5, frequency 4 to 5 | 冠军
loyal | recent 3 to 4, frequency 4 to 5 | 忠诚
potential_loyal | recent 4 to 5, frequency 2 to 3 | 潜在忠诚
recent | recent 5, frequency 1 | 新近
promising | recent 4, frequency 1 | 有望
needs_attention | recent 3, frequency 3 | 需关注
about_to_sleep | recent 3, frequency 1 to 2 | 将沉睡
cannot_lose | recent 1 to 2, frequency 5 | 不可失去
at_risk | recent 1 to 2, frequency 3 to 4 | 有风险
hibernating | recent 1 to 2, frequency 1 to 2 | 沉睡
""",
        modelled=False,
    ),
)
